"""Prompted examples in a given order, each made from its row on disk when it is asked for."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import overload

import numpy as np

from toolkit.corpus.shelf import Shelf
from toolkit.prompts import Example


@dataclass(frozen=True)
class Part:
    """Rows of one source; each gives one example of every group. Numbered group by group."""

    rows: Shelf
    groups: tuple[str, ...]
    make: Callable[[dict[str, str], str], Example]  # (row, group)

    def __len__(self) -> int:
        return len(self.rows) * len(self.groups)

    def __getitem__(self, number: int) -> Example:
        group, row = divmod(number, len(self.rows))
        return self.make(self.rows[row], self.groups[group])


class Examples(Sequence[Example]):
    """The examples of some parts, in an order in which one may come several times or not at all.

    Args:
        order: numbers of examples, counted through the parts; default each once, as they come.
    """

    def __init__(self, parts: Sequence[Part], order: array[int] | None = None) -> None:
        self._parts = tuple(part for part in parts if len(part))
        self._firsts = list(accumulate((len(part) for part in self._parts), initial=0))
        self._order = array("q", range(self._firsts[-1])) if order is None else order

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Examples: ...
    def __getitem__(self, index: int | slice) -> Example | Examples:
        if isinstance(index, slice):
            return Examples(self._parts, self._order[index])
        number = self._order[index]
        part = bisect_right(self._firsts, number) - 1
        return self._parts[part][number - self._firsts[part]]

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def groups(self) -> set[str]:
        """The groups of these examples, found without making them."""
        numbers = np.frombuffer(self._order, np.int64) if self._order else np.empty(0, np.int64)
        found: set[str] = set()
        for first, part in zip(self._firsts, self._parts, strict=False):
            for position, group in enumerate(part.groups):
                start = first + position * len(part.rows)
                if group not in found and bool(((numbers >= start) & (numbers < start + len(part.rows))).any()):
                    found.add(group)
        return found


class Texts(Sequence[str]):
    """One side of the rows of some sources, source by source: the bare sentences of a language."""

    def __init__(self, sides: Sequence[tuple[Shelf, str]] = ()) -> None:
        self._sides = tuple(sides)  # rows, and the key of the text in them

    def __add__(self, other: Texts) -> Texts:
        return Texts(self._sides + other._sides)

    def __len__(self) -> int:
        return sum(len(rows) for rows, _ in self._sides)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        for rows, key in self._sides:
            if number < len(rows):
                return rows[number][key]
            number -= len(rows)
        raise IndexError(index)
