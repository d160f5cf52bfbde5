"""Plain text: a document on each line or, where blank lines part them, in each block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from toolkit.corpus.broken import BrokenRow, OnBroken
from toolkit.corpus.lines import MAX_LINE_CHARACTERS, Line, open_text, read_lines
from toolkit.errors import CorpusError


def has_blocks(path: Path) -> bool:
    """Whether blank lines stand between others."""
    filled = blank_after = False
    with open_text(path) as file:
        for line in read_lines(file):
            if not line.text.strip():
                blank_after = filled
            elif blank_after:
                return True
            else:
                filled = True
    return False


def read_plain_lines(name: str, lines: Iterable[Line], on_broken: OnBroken) -> Iterator[tuple[int, dict[str, Any]]]:
    """The text of each line that is not blank.

    Raises:
        CorpusError: if there is none.
    """
    found = False
    for line in lines:
        if line.text.strip():
            found = True
            broken = line.broken
            if broken is None:
                yield line.number, {"text": line.text}
            else:
                on_broken(broken)
    if not found:
        raise CorpusError(f"{name} is empty", "give a file with text")


def read_blocks(name: str, lines: Iterable[Line], on_broken: OnBroken) -> Iterator[tuple[int, dict[str, Any]]]:
    """The text of each block, numbered by its first line; a broken line leaves out its block.

    Raises:
        CorpusError: if there is none.
    """
    found = False
    for filled, block in groupby(lines, key=lambda line: bool(line.text.strip())):
        if not filled:
            continue
        found = True
        first, broken, parts, size = 0, None, [], 0
        for line in block:
            first = first or line.number
            broken = broken or line.broken
            size += len(line.text)
            if size <= MAX_LINE_CHARACTERS:
                parts.append(line.text)
        if broken is None and size > MAX_LINE_CHARACTERS:
            wrong = f"its block is longer than {MAX_LINE_CHARACTERS:,} characters"
            broken = BrokenRow(f"line {first}", "endless block", wrong, "part it by blank lines")
        if broken is None:
            yield first, {"text": "".join(parts)}
        else:
            on_broken(broken)
    if not found:
        raise CorpusError(f"{name} is empty", "give a file with text")
