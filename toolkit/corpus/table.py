"""Files as tables of raw rows that stream: a file of any size takes the memory of a few rows."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, TextIO

from toolkit.corpus.squad import is_squad, squad_rows
from toolkit.errors import CorpusError

TABLE_SUFFIXES = (".tsv", ".csv", ".jsonl", ".json")
INSTRUCTION_SUFFIXES = (".json", ".jsonl")
TEXT_SUFFIXES = (".txt", *TABLE_SUFFIXES)
MAX_JSON_CHARACTERS = 2**24  # of one row in a JSON array
_PEEKED_ROWS = 100  # JSON rows may lack a column that is empty in them


@dataclass(frozen=True)
class Table:
    """Raw rows in their order, each with the number of its line (or, without lines, of the row). Can be read once."""

    name: str  # file name or Hub id, never a path
    rows: Iterator[tuple[int, dict[str, Any]]]
    unit: str = "line"

    def require(self, columns: Iterable[str]) -> Table:
        """This table, once its first rows have shown that it has these columns.

        Raises:
            CorpusError: naming the first missing column and those that are there.
        """
        first = list(islice(self.rows, _PEEKED_ROWS))
        have = list(dict.fromkeys(column for _, row in first for column in row))
        missing = [column for column in columns if column not in have]
        if missing and first:
            raise CorpusError(
                f"{self.name} has no column '{missing[0]}'; its columns are: {', '.join(map(str, have))}",
                "name the columns in the recipe: columns: {jav: javanese}",
            )
        return Table(self.name, chain(first, self.rows), self.unit)


def read_file(path: Path, suffixes: tuple[str, ...] = TABLE_SUFFIXES, header: Sequence[str] | None = None) -> Table:
    """The rows of a tsv, csv, json, jsonl or txt file in UTF-8. The text of a txt file is in the column `text`.

    A txt file holds one document per line or, where it has blank lines, one per block between them. A json file holds
    an array of objects, one object per line, or questions about passages as SQuAD has them.

    Args:
        header: names of the columns, where a tsv or csv file begins without them.

    Raises:
        CorpusError: if the file is missing, not of these kinds, not UTF-8, or empty; while reading, if a row is broken.
    """
    if path.suffix not in suffixes:
        raise CorpusError(f"{path.name}: '{path.suffix}' files are not read here", f"use {', '.join(suffixes)}")
    has_blocks = _check_utf8(path, has_header=header is None)
    if path.suffix in (".tsv", ".csv"):
        return Table(path.name, _delimited(path, header))
    if path.suffix == ".txt":
        return Table(path.name, _blocks(path) if has_blocks else _lines(path))
    if _starts_an_array(path):
        return Table(path.name, _json_array(path), "row")
    if path.suffix == ".json" and is_squad(_beginning(path)):
        return Table(path.name, _squad(path), "question")
    return Table(path.name, _json_lines(path))


def column_names(path: Path) -> tuple[str, ...]:
    """The columns of a table, or the fields of its first row.

    Raises:
        CorpusError: if the file is missing or unreadable.
    """
    return next((tuple(row) for _, row in read_file(path).rows), ())


def _open(path: Path) -> TextIO:
    return path.open(encoding="utf-8-sig", newline="")


def _delimited(path: Path, names: Sequence[str] | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a csv file, or of a tsv file, in which a quotation mark means itself."""
    options: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if path.suffix == ".tsv" else {}
    with _open(path) as file:
        reader = csv.reader(file, strict=True, **options)
        try:
            header = list(names) if names else next(cells for cells in reader if cells)
            for cells in reader:
                if len(cells) > len(header):
                    raise _broken(path, f"line {reader.line_num} has {len(cells)} columns, the header {len(header)}")
                if cells:
                    yield reader.line_num, dict(zip(header, cells, strict=False))
        except csv.Error as error:
            raise _broken(path, f"line {reader.line_num}: {error}; is a quotation mark left open?") from error


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise _broken(path, f"line {number}: {error}") from error
                yield number, _object(path, f"line {number}", row)


def _json_array(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects of one JSON array, decoded one after the other."""
    decoder = json.JSONDecoder()
    with _open(path) as file:
        text = file.read(2**16).lstrip()[1:]
        for number in range(1, 2**63):
            text = text.lstrip(" \t\r\n,")
            while True:
                try:
                    row, end = decoder.raw_decode(text)
                    break
                except ValueError as error:
                    more = file.read(2**16)
                    if text.startswith("]"):
                        return
                    if not more or len(text) > MAX_JSON_CHARACTERS:
                        raise _broken(path, f"row {number}: {error}") from error
                    text = (text + more).lstrip(" \t\r\n,")
            yield number, _object(path, f"row {number}", row)
            text = text[end:]


def _object(path: Path, place: str, row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise _broken(path, f"{place} is not an object with named fields")
    return row


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with _open(path) as file:
        yield from ((number, {"text": line}) for number, line in enumerate(file, start=1) if line.strip())


def _blocks(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with _open(path) as file:
        for filled, lines in groupby(enumerate(file, start=1), key=lambda line: bool(line[1].strip())):
            if filled:
                first, text = next(lines)
                yield first, {"text": text + "".join(line for _, line in lines)}


def _squad(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with _open(path) as file:
        try:
            yield from enumerate(squad_rows(json.load(file)), start=1)
        except (ValueError, KeyError, TypeError) as error:
            raise _broken(path, f"not as SQuAD has it: {type(error).__name__}: {error}") from error


def _starts_an_array(path: Path) -> bool:
    return _beginning(path).startswith("[")


def _beginning(path: Path) -> str:
    with _open(path) as file:
        return file.read(2**16).lstrip()


def _check_utf8(path: Path, *, has_header: bool) -> bool:
    """Read the file once for what no row reader could explain; whether blank lines part its text.

    Raises:
        CorpusError: if it is missing, unreadable, not UTF-8, or empty.
    """
    number, filled, blank_between, blank = 0, 0, False, False
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                line.decode("utf-8")
                is_filled = bool(line.strip())
                blank_between = blank_between or (is_filled and blank and filled > 0)
                blank, filled = not is_filled, filled + is_filled
                if b"\x00" in line:
                    raise CorpusError(f"{path.name}, line {number}: holds a NUL byte", "save the file as UTF-8 text")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path.name}, line {number}: byte {error.start + 1} is not UTF-8", "save the file as UTF-8 text"
        ) from error
    except FileNotFoundError:
        raise CorpusError(f"no file at {path}", "check the path; it is relative to the recipe's folder") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
    if filled == 0 or (filled == 1 and has_header and path.suffix in (".tsv", ".csv")):
        what = "holds a header line and no rows" if filled else "is empty"
        raise CorpusError(f"{path.name} {what}", "give a file with a header line and rows")
    return blank_between


def _broken(path: Path, cause: str) -> CorpusError:
    return CorpusError(f"{path.name} is not a readable {path.suffix[1:]} file: {cause}", "mend that place")
