"""Rows of JSON files: one object per line, or an array of objects; behind a broken row reading goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from toolkit.corpus.broken import BrokenRow, OnBroken
from toolkit.corpus.lines import MAX_LINE_CHARACTERS, Line, no_text
from toolkit.errors import CorpusError

_CHUNK = 2**16
_NEXT_OBJECT = re.compile(r"\}\s*,\s*(?=\{)")
_BLANKS = " \t\r\n"
_MEND = 'write it as {"eng": "…", "ban": "…"}, with \\" for a quotation mark inside of text'


def read_json_lines(name: str, lines: Iterable[Line], on_broken: OnBroken) -> Iterator[tuple[int, dict[str, Any]]]:
    """One object per line.

    Raises:
        CorpusError: if there is no line.
    """
    found = False
    for line in lines:
        if not line.text.strip():
            continue
        found = True
        place = f"line {line.number}"
        broken = line.broken
        if broken is None:
            try:
                row = json.loads(line.text)
            except (ValueError, RecursionError) as error:
                broken = _no_json(place, error)
            else:
                broken = _no_row(place, row, line.text)
        if broken is None:
            yield line.number, row
        else:
            on_broken(broken)
    if not found:
        raise CorpusError(f"{name} is empty", "give a file with one JSON object per line")


def read_json_array(name: str, file: TextIO, on_broken: OnBroken) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of one array, decoded one after the other; at most one of them and a chunk lie in memory."""
    decoder = json.JSONDecoder()
    text = file.read(_CHUNK)
    line = 1 + text[: text.index("[")].count("\n")
    text = text[text.index("[") + 1 :]
    for number in range(1, 2**63):
        line, text = _skip(text, _BLANKS + ",", line)
        while not text:
            text = file.read(_CHUNK)
            if not text:
                on_broken(_unclosed(f"row {number} (line {line})"))
                return
            line, text = _skip(text, _BLANKS + ",", line)
        if text.startswith("]"):
            if number == 1:
                raise CorpusError(f"{name} is empty: it holds no row", "give an array with objects")
            return
        place = f"row {number} (line {line})"
        size = _CHUNK
        while True:
            try:
                row, end = decoder.raw_decode(text)
                broken = _no_row(place, row, text[:end])
                break
            except (ValueError, RecursionError) as error:
                more = "" if len(text) > MAX_LINE_CHARACTERS or isinstance(error, RecursionError) else file.read(size)
                if not more:
                    broken = _no_json(place, error)
                    end = None
                    break
                text += more
                size *= 2  # so that a long row is tried a few times only
        if end is None:
            assert broken is not None
            on_broken(broken)
            line, text = _behind(text, file, line)
            continue
        if broken is None:
            yield number, row
        else:
            on_broken(broken)
        line += text.count("\n", 0, end)
        text = text[end:]


def _skip(text: str, characters: str, line: int) -> tuple[int, str]:
    rest = text.lstrip(characters)
    return line + text.count("\n", 0, len(text) - len(rest)), rest


def _behind(text: str, file: TextIO, line: int) -> tuple[int, str]:
    """What follows the broken object at the beginning of `text`: from the next place where one seems to begin."""
    while True:
        found = _NEXT_OBJECT.search(text, 1)
        if found:
            return line + text.count("\n", 0, found.end()), text[found.end() :]
        more = file.read(_CHUNK)
        if not more:
            return line + text.count("\n"), "]"
        kept = text[-_CHUNK:]
        line += text.count("\n", 0, len(text) - len(kept))
        text = kept + more


def _no_row(place: str, row: Any, text: str) -> BrokenRow | None:
    """Why a value is no row of text, if it is none."""
    if not isinstance(row, dict):
        kind = {list: "a list", str: "a text", type(None): "nothing"}.get(type(row), "a number")
        return BrokenRow(place, "no object with named fields", f"it is {kind}, not an object with named fields", _MEND)
    broken = no_text(text, place)
    if broken is None and "\\ud" in text.lower():  # half of a pair cannot be written anywhere
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(error.object[error.start]):04x}"
            return BrokenRow(
                place, "half of a character", f"{half} is half of a character", "export the file again in UTF-8"
            )
    return broken


def _no_json(place: str, error: Exception) -> BrokenRow:
    if isinstance(error, RecursionError):
        return BrokenRow(place, "no JSON", "its brackets are nested too deep", _MEND)
    told = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    column = f", column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
    return BrokenRow(place, "no JSON", f"it is no readable JSON: {told}{column}", _MEND)


def _unclosed(place: str) -> BrokenRow:
    return BrokenRow(
        place, "file cut off", "the file ends before its array does", "fetch or export the file again: it was cut off"
    )
