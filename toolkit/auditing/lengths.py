"""How long the sides of rows are beside each other, and which rows are far from what is usual in the file."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from statistics import median

from toolkit.auditing.record import Bars, Ratio

FACTOR = 3.0  # from the median, either way; more where the file's own lengths vary more
_SPREADS = 5.0  # robust standard deviations
_SHORT = 30  # characters: between shorter texts any ratio can be right
_LEAST_ROWS = 20
_HALVES = 8  # bars between one power of two and the next are halves of it: from 1/16 to 16


def ratio_outliers(first: array[int], second: array[int], languages: tuple[str, str]) -> tuple[Ratio, list[int]] | None:
    """The usual ratio of two sides, and the indices of rows that are far from it; None for too few rows.

    A row is far off when its ratio differs from the median by more than three times, or by more than five robust
    standard deviations (1.4826 times the median deviation) where that is more; and one side has 30 characters.

    Args:
        first, second: characters of the two sides of each row.
    """
    if len(first) < _LEAST_ROWS:
        return None
    logs = array("d", (math.log(a / b) for a, b in zip(first, second, strict=True)))
    usual = median(logs)
    spread = 1.4826 * median(abs(value - usual) for value in logs)
    limit = max(math.log(FACTOR), _SPREADS * spread)
    far = [
        index
        for index, value in enumerate(logs)
        if abs(value - usual) > limit and max(first[index], second[index]) >= _SHORT
    ]
    edges = tuple(half / 2 for half in range(-_HALVES, _HALVES + 1))
    counts = [0] * (len(edges) - 1)
    for value in logs:
        place = math.floor(2 * (value - usual) / math.log(2)) + _HALVES
        counts[min(max(place, 0), len(counts) - 1)] += 1
    ratio = Ratio(
        languages=languages,
        median=round(math.exp(usual), 2),
        factor=round(math.exp(limit), 1),
        bars=Bars(edges=edges, counts=tuple(counts)),
    )
    return ratio, far


def length_bars(lengths: Sequence[int], bars: int = 24) -> Bars:
    """How many texts have how many characters, up to the 99th percentile; what is longer is in the last bar."""
    if not lengths:
        return Bars(edges=(0.0, 1.0), counts=(0,))
    top = max(1, sorted(lengths)[math.ceil(0.99 * len(lengths)) - 1])
    step = max(1, math.ceil(top / bars))
    counts = [0] * math.ceil((top + 1) / step)
    for length in lengths:
        counts[min(length // step, len(counts) - 1)] += 1
    return Bars(edges=tuple(float(step * index) for index in range(len(counts) + 1)), counts=tuple(counts))
