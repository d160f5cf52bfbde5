"""Rows of csv and tsv files; behind a broken row reading goes on with the next line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from toolkit.corpus.broken import BrokenRow, OnBroken
from toolkit.corpus.lines import Line
from toolkit.errors import CorpusError

DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}
Numbered = tuple[int, dict[str, Any]]


def read_delimited(
    name: str, lines: Iterable[Line], delimiter: str, names: Sequence[str] | None, on_broken: OnBroken
) -> Iterator[Numbered]:
    """Rows by the columns of the header, each with the number of the line in which it begins.

    A column that is called as one before it is called `name (2)`. Between tabs a quotation mark means itself. For
    commas, semicolons are taken too, see `parted_by`.

    Args:
        names: of the columns, where the file begins without them.

    Raises:
        CorpusError: if there is no row, or the columns are parted by another character.
    """
    lines, delimiter = parted_by(lines, delimiter, names)
    records = read_cells(lines, delimiter, on_broken)
    first = next(records, None)
    if first is None:
        raise CorpusError(f"{name} is empty", "give a file with a header line and rows")
    if names is None or len(names) > 1:  # a file of one column may have any character in it
        check_delimiter(name, *first, delimiter)
    yield from as_rows(name, chain([first], records), delimiter, names, on_broken)


def parted_by(lines: Iterable[Line], delimiter: str, names: Sequence[str] | None = None) -> tuple[Iterator[Line], str]:
    """The same lines, and what parts their columns.

    Where the comma is the decimal sign, spreadsheet programs write semicolons into a csv file: so they are taken where
    the first line has some and no comma.
    """
    source, beginning = iter(lines), list[Line]()
    for line in source:
        beginning.append(line)
        if line.text.strip():
            break
    first = beginning[-1].text if beginning else ""
    may_be = delimiter == "," and (names is None or len(names) > 1)
    return chain(beginning, source), ";" if may_be and ";" in first and "," not in first else delimiter


def as_rows(
    name: str,
    records: Iterator[tuple[int, list[str]]],
    delimiter: str,
    names: Sequence[str] | None,
    on_broken: OnBroken,
) -> Iterator[Numbered]:
    """Cells by the columns that the first of these records names, unless `names` does.

    Raises:
        CorpusError: if there is no row.
    """
    found = False
    header = list(names) if names else _header(next(records, (1, []))[1])
    for number, cells in records:
        found = True
        if len(cells) > len(header):
            on_broken(
                BrokenRow(
                    f"line {number}",
                    "more columns than the header",
                    f"it has {len(cells)} columns, the header {len(header)}",
                    _whole_cells(delimiter),
                )
            )
        else:
            yield number, dict(zip(header, cells, strict=False))
    if not found:
        what = "holds a header line and no rows" if header else "is empty"
        raise CorpusError(f"{name} {what}", "give a file with a header line and rows")


def other_delimiter(cells: Sequence[str], delimiter: str) -> str | None:
    """The character that seems to part the columns instead, if this first row came out as one cell."""
    if len(cells) != 1:
        return None
    parted = {other: cells[0].split(other) for other in DELIMITERS if other != delimiter and other in cells[0]}
    parted = {other: parts for other, parts in parted.items() if all(part.strip() for part in parts)}
    return max(parted, key=lambda other: len(parted[other])) if parted else None


def check_delimiter(name: str, number: int, first: Sequence[str], delimiter: str) -> None:
    """Refuse a file whose first row shows that its columns are parted by another character.

    Raises:
        CorpusError: naming both characters.
    """
    other = other_delimiter(first, delimiter)
    if other is None:
        return
    shown = first[0][:60].replace("\t", "⇥")
    raise CorpusError(
        f"{name}, line {number}: the columns are parted by {DELIMITERS[other]}, not by {DELIMITERS[delimiter]} "
        f"('{shown}')",
        f"{mended(other)}; `cogsym data audit` tells what else there is",
    )


def mended(delimiter: str) -> str:
    """What to do with a file whose columns this character parts, under a name that promises another one."""
    suffix = {"\t": ".tsv", ",": ".csv"}.get(delimiter)
    if suffix:
        return f"call the file {suffix}"
    return "save it as tab-separated text (.tsv), or as CSV with the comma as field delimiter"


def read_cells(lines: Iterable[Line], delimiter: str, on_broken: OnBroken) -> Iterator[tuple[int, list[str]]]:
    """Cells of each row that is not blank; a quoted cell may hold line breaks."""
    options: dict[str, Any] = {"delimiter": delimiter}
    if delimiter == "\t":
        options["quoting"] = csv.QUOTE_NONE
    source = iter(lines)
    again: list[Line] = []  # lines that a broken row had swallowed
    taken: list[Line] = []  # lines of the row that is being read

    def feed() -> Iterator[str]:
        while True:
            line = again.pop() if again else next(source, None)
            if line is None:
                return
            taken.append(line)
            if line.is_cut:
                raise csv.Error
            yield line.text

    reader = csv.reader(feed(), strict=True, **options)
    while True:
        taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            on_broken(taken[0].broken or _unreadable(taken[0].number, str(error), len(taken)))
            again += reversed(taken[1:])
            reader = csv.reader(feed(), strict=True, **options)
            continue
        fault = next((broken for line in taken if (broken := line.broken)), None)
        if fault is not None:
            on_broken(fault)
        elif cells:
            yield taken[0].number, cells


def _unreadable(number: int, error: str, swallowed: int) -> BrokenRow:
    if "field larger" in error:
        limit = f"{csv.field_size_limit():,}"
        return BrokenRow(
            f"line {number}",
            "cell without an end",
            f"a cell is longer than {limit} characters",
            "is a quotation mark left open there? close it, or double it where it means itself",
        )
    return BrokenRow(
        f"line {number}",
        "quotation mark left open",
        "a quotation mark is left open, or stands inside a cell" + (f" ({error})" if swallowed == 1 else ""),
        'close it, and double each one that means itself: "she said ""yes"""',
    )


def _header(cells: Sequence[str]) -> list[str]:
    """Names without blanks around them; a name that was there before gets a number."""
    names: list[str] = []
    for cell in cells:
        name = cell.strip().strip("\ufeff")  # a second byte order mark
        twin, count = name, 1
        while twin in names:
            count += 1
            twin = f"{name} ({count})"
        names.append(twin)
    return names


def _whole_cells(delimiter: str) -> str:
    if delimiter == "\t":
        return "take the tabs out of its cells"
    sign = DELIMITERS[delimiter].removesuffix("s")
    return f"put quotation marks around each cell that holds a {sign}, as spreadsheet programs do"
