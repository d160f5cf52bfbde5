"""Options of a question: as a file writes them, which one is right, and the letters they are called by."""

from __future__ import annotations

from typing import Any

from toolkit.corpus import clean

MAX_OPTIONS = 10


def read_options(cells: Any) -> tuple[str, ...]:
    """Options without the letters that some files write in front of them."""
    if not isinstance(cells, list | tuple) or not 2 <= len(cells) <= MAX_OPTIONS:
        raise ValueError(f"options must be a list of 2 to {MAX_OPTIONS}, not {str(cells)[:60]!r}")
    texts = [clean(cell) for cell in cells]
    marked = [text[:1].upper() == letter(index) and text[1:2] in (".", ")") for index, text in enumerate(texts)]
    if all(marked):
        texts = [text[2:].strip() for text in texts]
    if not all(texts):
        raise ValueError(f"option {letter(texts.index(''))} is empty")
    return tuple(texts)


def right_option(answer: str, options: int, first: int) -> int:
    """Which option is right, counted from 0."""
    if answer.isdecimal():
        index = int(answer) - first
    else:
        index = ord(answer.upper()) - ord("A") if len(answer) == 1 and answer.isascii() else -1
    if not 0 <= index < options:
        raise ValueError(f"answer '{answer}' is none of {options} options; write a letter, or a number from {first} on")
    return index


def letter(index: int) -> str:
    """The letter of an option: A for 0."""
    return chr(ord("A") + index)
