"""Rows that cannot be read: each is told as a sentence, and then stops the reading or is left out and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from toolkit.errors import CorpusError


@dataclass(frozen=True)
class BrokenRow:
    """One place of a file from which no row can be made."""

    place: str  # "line 12", "row 3"
    fault: str  # what is counted: the same for all rows that are broken in this way
    message: str  # what is wrong there, with the value seen
    hint: str  # what to do about it


OnBroken = Callable[[BrokenRow], None]
"""What is done with a broken row; if it returns, reading goes on behind that row."""


def refuse(name: str) -> OnBroken:
    """Stops at the first broken row, naming the file.

    Args:
        name: of the file, never a path.
    """

    def stop(row: BrokenRow) -> None:
        raise CorpusError(f"{name}, {row.place}: {row.message}", row.hint)

    return stop
