"""Opens a file as far as it can be opened: what the training reader would refuse is told, and read all the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from toolkit.auditing.record import Example, Finding
from toolkit.auditing.tally import excerpt
from toolkit.corpus import OnBroken, read_file
from toolkit.corpus.beginning import read_beginning, refuse_what_is_no_text, wide_encoding
from toolkit.corpus.delimited import DELIMITERS, as_rows, mended, other_delimiter, parted_by, read_cells
from toolkit.corpus.lines import AS_UTF8, open_text, read_lines
from toolkit.corpus.table import DELIMITER, TEXT_SUFFIXES, flat, is_like_a_sentence
from toolkit.errors import CorpusError

_PEEKED = 100


@dataclass
class Opened:
    """A file's rows, and what was wrong with the file itself."""

    rows: Iterator[tuple[int, dict[str, Any]]]
    unit: str
    columns: tuple[str, ...]
    first: tuple[dict[str, Any], ...]  # the first rows, to guess columns from
    findings: list[Finding] = field(default_factory=list)


def open_tolerantly(path: Path, header: Sequence[str] | None, on_broken: OnBroken) -> Opened:
    """The rows of a file, whatever is wrong with it.

    Raises:
        CorpusError: if it is missing or of a kind that is not read at all.
    """
    beginning = read_beginning(path)
    if path.suffix.lower() not in TEXT_SUFFIXES:
        read_file(path, TEXT_SUFFIXES)  # raises, and says which kinds are read
    findings: list[Finding] = []
    try:
        refuse_what_is_no_text(path.name, beginning)
        encoding = wide_encoding(beginning)
        if encoding:
            findings.append(_of_the_file("wide-encoding", f"The file is in {encoding}, not in UTF-8.", AS_UTF8))
        delimiter = DELIMITER.get(path.suffix.lower())
        if delimiter is not None:
            read = _delimited(path, _codec(encoding, beginning), delimiter, header, on_broken, findings)
            return _peeked(read, "line", findings)
        if encoding:  # other kinds are read again once they are in UTF-8
            return Opened(iter(()), "line", (), (), findings)
        table = read_file(path, TEXT_SUFFIXES, header, on_broken)
        return _peeked(table.rows, table.unit, findings)
    except CorpusError as error:
        findings.append(_of_the_file("not-a-table", f"{error.message}.", error.hint or "give another file"))
        return Opened(iter(()), "line", (), (), findings)


def _peeked(rows: Iterator[tuple[int, dict[str, Any]]], unit: str, findings: list[Finding]) -> Opened:
    first = list(islice(rows, _PEEKED))
    known = [flat(row) for _, row in first]
    columns = tuple(dict.fromkeys(str(column) for row in known for column in row))

    def all_rows() -> Iterator[tuple[int, dict[str, Any]]]:
        yield from first
        try:
            yield from rows
        except CorpusError as error:  # only what is wrong with the whole of a file comes this way
            findings.append(_of_the_file("not-a-table", f"{error.message}.", error.hint or "mend that place"))

    return Opened(((number, flat(row)) for number, row in all_rows()), unit, columns, tuple(known), findings)


def _delimited(
    path: Path,
    encoding: str,
    delimiter: str,
    header: Sequence[str] | None,
    on_broken: OnBroken,
    findings: list[Finding],
) -> Iterator[tuple[int, dict[str, Any]]]:
    with open_text(path, encoding) as file:
        lines, delimiter = parted_by(read_lines(file), delimiter, header)
        number, first = next(read_cells(lines, delimiter, lambda row: None), (1, []))
    is_one_column = header is not None and len(header) == 1
    other = None if is_one_column else other_delimiter(first, delimiter)
    if other is not None:
        name, wanted = DELIMITERS[other], DELIMITERS[delimiter]
        findings.append(
            _of_the_file(
                "delimiter",
                f"The columns are parted by {name}, not by {wanted} as in other {path.suffix} files.",
                mended(other),
                Example(f"line {number}", excerpt(first[0])),
            )
        )
        first, delimiter = first[0].split(other), other
    if header is None and _is_a_row(first):
        findings.append(
            _of_the_file(
                "no-header",
                "The first line holds sentences, not the names of the columns.",
                "write the languages' codes as the first line, e.g. eng and ban, each over its column; or name them "
                "with --header eng,ban, and in a recipe with header: [eng, ban]",
                Example(f"line {number}", excerpt(" ⇥ ".join(first))),
            )
        )
        header = [f"column {index}" for index in range(1, len(first) + 1)]
    return _rows(path, encoding, delimiter, header, on_broken)


def _rows(
    path: Path, encoding: str, delimiter: str, header: Sequence[str] | None, on_broken: OnBroken
) -> Iterator[tuple[int, dict[str, Any]]]:
    with open_text(path, encoding) as file:
        yield from as_rows(path.name, read_cells(read_lines(file), delimiter, on_broken), delimiter, header, on_broken)


def _is_a_row(cells: Sequence[str]) -> bool:
    """Whether a first line looks like sentences: half of the cells or more are none that name columns."""
    texts = [cell for cell in cells if any(map(str.isalpha, cell))]
    return bool(texts) and 2 * sum(map(is_like_a_sentence, texts)) >= len(texts)


def _codec(encoding: str | None, beginning: bytes) -> str:
    """The name by which Python reads a wide encoding; without a mark, by where its zeros are."""
    if encoding is None:
        return "utf-8-sig"
    if encoding == "UTF-32":
        return "utf-32"
    if beginning[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    return "utf-16-be" if beginning[::2].count(0) > beginning[1::2].count(0) else "utf-16-le"


def _of_the_file(code: str, message: str, fix: str, *examples: Example) -> Finding:
    return Finding(code=code, severity="stop", count=1, message=message, fix=fix, examples=examples)
