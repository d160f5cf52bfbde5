"""Lines of a text file in UTF-8, one after the other; a file of one endless line takes no more memory than others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from toolkit.corpus.broken import BrokenRow

MAX_LINE_CHARACTERS = 2**24
AS_UTF8 = "save the file as UTF-8 text: in Excel choose 'CSV UTF-8', in LibreOffice the character set 'Unicode (UTF-8)'"
_NO_TEXT = re.compile("[\udc80-\udcff\x00]")  # bytes that are no UTF-8, as Python lets them through; and NUL
_ESCAPED = re.compile("[\udc80-\udcff]")
_SHOWN = 20


@dataclass(frozen=True)
class Line:
    """One line with its end; `is_cut` if it is longer than what is read of it."""

    number: int
    text: str
    is_cut: bool = False

    @property
    def broken(self) -> BrokenRow | None:
        """Why this line is no text, if it is none."""
        if self.is_cut:
            return BrokenRow(
                f"line {self.number}",
                "endless line",
                f"it is longer than {MAX_LINE_CHARACTERS:,} characters",
                "check that the lines of the file end where its rows do",
            )
        return None if self.text.isascii() and "\0" not in self.text else no_text(self.text, f"line {self.number}")


def open_text(path: Path, encoding: str = "utf-8-sig") -> TextIO:
    """The file as text; bytes that are not UTF-8 come through as lone surrogates, which `no_text` finds."""
    lossless = encoding.startswith("utf-8")
    return path.open(encoding=encoding, errors="surrogateescape" if lossless else "replace", newline="")


def read_lines(file: TextIO, first: int = 1) -> Iterator[Line]:
    """Every line, ended by LF, CRLF or a bare CR.

    Args:
        first: number of the first line.
    """
    number = first
    while text := file.readline(MAX_LINE_CHARACTERS):
        if len(text) < MAX_LINE_CHARACTERS or text[-1] in "\r\n":
            yield Line(number, text)
        else:
            yield Line(number, text, is_cut=True)
            while (rest := file.readline(MAX_LINE_CHARACTERS)) and rest[-1] not in "\r\n":
                pass
        number += 1


def no_text(text: str, place: str) -> BrokenRow | None:
    """Why this is no text: it has bytes that are not UTF-8, or NUL bytes. None if it is text."""
    found = _NO_TEXT.search(text)
    if found is None:
        return None
    byte = len(text[: found.start()].encode(errors="surrogateescape")) + 1
    if found[0] == "\0":
        return BrokenRow(
            place, "NUL byte", f"byte {byte} is NUL, which no text has", "take it out, or export the file again"
        )
    value = ord(found[0]) - 0xDC00
    around = text[max(0, found.start() - _SHOWN) : found.start() + _SHOWN].strip()
    as_windows = _ESCAPED.sub(lambda byte: _of_windows(ord(byte[0]) - 0xDC00), around)
    return BrokenRow(
        place,
        "not UTF-8",
        f"byte {byte} (0x{value:02X}) is not UTF-8; read as Windows-1252 it says {as_windows!r}",
        AS_UTF8,
    )


def _of_windows(byte: int) -> str:
    return bytes([byte]).decode("cp1252", errors="replace")
