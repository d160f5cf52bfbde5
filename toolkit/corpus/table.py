"""Files as tables of raw rows that stream: a file of any size takes the memory of a few rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from toolkit.corpus.beginning import check_beginning
from toolkit.corpus.broken import OnBroken, refuse
from toolkit.corpus.delimited import Numbered, read_delimited
from toolkit.corpus.json_rows import read_json_array, read_json_lines
from toolkit.corpus.lines import Line, open_text, read_lines
from toolkit.corpus.plain import has_blocks, read_blocks, read_plain_lines
from toolkit.corpus.squad import is_squad, squad_rows
from toolkit.errors import CorpusError

TABLE_SUFFIXES = (".tsv", ".csv", ".jsonl", ".json")
INSTRUCTION_SUFFIXES = (".json", ".jsonl")
TEXT_SUFFIXES = (".txt", *TABLE_SUFFIXES)
DELIMITER = {".csv": ",", ".tsv": "\t"}
_SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
_PEEKED_ROWS = 100  # JSON rows may lack a column that is empty in them
_WORDS_OF_A_SENTENCE, _LETTERS_OF_ONE = 4, 60  # names of columns are shorter


@dataclass(frozen=True)
class Table:
    """Raw rows in their order, each with the number of its line (or, without lines, of the row). Can be read once."""

    name: str  # file name or Hub id, never a path
    rows: Iterator[Numbered]
    unit: str = "line"

    def require(self, columns: Iterable[str]) -> Table:
        """This table, once its first rows have shown that it has these columns.

        Fields of an object in a column are columns too: `translation.eng`.

        Raises:
            CorpusError: naming the first missing column and those that are there.
        """
        wanted = list(columns)
        rows = self.rows
        if any("." in column for column in wanted):
            rows = ((number, flat(row)) for number, row in self.rows)
        first = list(islice(rows, _PEEKED_ROWS))
        have = list(dict.fromkeys(column for _, row in first for column in row))
        missing = [column for column in wanted if column not in have]
        if missing and first:
            raise _lacks(self, missing, have, first[0])
        twins = [column for column in wanted if f"{column} (2)" in have]
        if twins:
            raise CorpusError(
                f"{self.name}, line 1: two columns are called '{twins[0]}'", "give each column a name of its own"
            )
        return Table(self.name, chain(first, rows), self.unit)


def read_file(
    path: Path,
    suffixes: tuple[str, ...] = TABLE_SUFFIXES,
    header: Sequence[str] | None = None,
    on_broken: OnBroken | None = None,
) -> Table:
    """The rows of a tsv, csv, json, jsonl or txt file in UTF-8. The text of a txt file is in the column `text`.

    A txt file holds one document per line or, where it has blank lines, one per block between them. A json file holds
    an array of objects, one object per line, or questions about passages as SQuAD has them.

    Args:
        header: names of the columns, where a tsv or csv file begins without them.
        on_broken: what is done with a row that cannot be read; default stop there.

    Raises:
        CorpusError: if the file is missing, not of these kinds, not in UTF-8, or empty; while reading, if a row is
            broken and `on_broken` is not given.
    """
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        hint = f"use {', '.join(suffixes)}"
        if suffix in _SPREADSHEETS and ".tsv" in suffixes:
            hint = "save the sheet as 'CSV UTF-8' (.csv) or as tab-separated text (.tsv)"
        raise CorpusError(f"{path.name}: '{path.suffix}' files are not read here", hint)
    beginning, on_broken = check_beginning(path).lstrip(), on_broken or refuse(path.name)
    if suffix in DELIMITER:
        return Table(
            path.name,
            _from_lines(path, lambda lines: read_delimited(path.name, lines, DELIMITER[suffix], header, on_broken)),
        )
    if suffix == ".txt":
        read = read_blocks if has_blocks(path) else read_plain_lines
        return Table(path.name, _from_lines(path, lambda lines: read(path.name, lines, on_broken)))
    if beginning.startswith("["):
        return Table(path.name, _json_array(path, on_broken), "row")
    if suffix == ".json" and is_squad(beginning):
        return Table(path.name, _squad(path), "question")
    return Table(path.name, _from_lines(path, lambda lines: read_json_lines(path.name, lines, on_broken)))


def column_names(path: Path) -> tuple[str, ...]:
    """The columns of a table, as its first rows show them; rows that cannot be read are passed over here.

    Fields of an object in a column are columns too: `translation.eng`.

    Raises:
        CorpusError: if the file is missing or unreadable.
    """
    rows = islice(read_file(path, on_broken=lambda row: None).rows, _PEEKED_ROWS)
    return tuple(dict.fromkeys(column for _, row in rows for column in flat(row)))


def _from_lines(path: Path, read: Callable[[Iterator[Line]], Iterator[Numbered]]) -> Iterator[Numbered]:
    with open_text(path) as file:
        yield from read(read_lines(file))


def _json_array(path: Path, on_broken: OnBroken) -> Iterator[Numbered]:
    with open_text(path) as file:
        yield from read_json_array(path.name, file, on_broken)


def _squad(path: Path) -> Iterator[Numbered]:
    with path.open(encoding="utf-8-sig") as file:
        try:
            yield from enumerate(squad_rows(json.load(file)), start=1)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CorpusError(
                f"{path.name} is not a readable json file: not as SQuAD has it: {type(error).__name__}: {error}",
                "mend that place",
            ) from error


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the fields of objects in it as columns of their own: `translation.eng`."""
    inner = {
        f"{column}.{field}": value
        for column, fields in row.items()
        if isinstance(fields, dict)
        for field, value in fields.items()
    }
    return row | inner if inner else row


def _lacks(table: Table, missing: list[str], have: list[str], first: Numbered) -> CorpusError:
    """The error for a missing column, with what the first row suggests."""
    listed = ", ".join(map(str, have[:30]))
    message = f"{table.name} has no column '{missing[0]}'; its columns are: {listed}"
    inner = [column for column in flat(first[1]) if column not in have]
    if inner:
        return CorpusError(
            message, f"name the fields inside of it in the recipe: columns: {{{missing[0]}: {inner[0]}}}"
        )
    if any(is_like_a_sentence(str(column)) for column in have):
        return CorpusError(
            f"{message}; that looks like sentences: is the line with the names of the columns missing?",
            f"write the names as the first line, e.g. {missing[0]}, or name them in the recipe: header: [...]",
        )
    return CorpusError(message, f"name the columns in the recipe: columns: {{{missing[0]}: {have[0]}}}")


def is_like_a_sentence(name: str) -> bool:
    """Whether what should be the name of a column looks like a sentence; `No.` does not."""
    words = name.split()
    ends = name.rstrip()[-1:] in ("?", "!", "？", "！", "。") or (len(words) > 1 and name.rstrip().endswith("."))
    return ends or len(words) >= _WORDS_OF_A_SENTENCE or len(name) > _LETTERS_OF_ONE
