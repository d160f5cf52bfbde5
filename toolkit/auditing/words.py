"""Rows whose words are those of the file's other language: told by the file itself, whatever the languages are.

Language identification does not know most small languages. The other rows do: how often each word stands in either
column, this row left out, says in which column a text belongs (naive Bayes over words).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from toolkit.corpus.shelf import Shelf

SAMPLE = 10_000  # rows, spread evenly
_LEAST_ROWS = 100
_LEAST_WORDS = 4
_WEIGHT = 1.0  # mean log odds per word from which on a text belongs to the other column, about 3 to 1
_TOTAL = 10.0  # and in all
_UNSEEN = 0.5  # times that every word counts as seen


def misplaced(rows: Shelf, keys: Sequence[str]) -> Mapping[tuple[str, str], list[int]]:
    """Indices of rows by the side that is misplaced and the side whose words it has; none for too few rows.

    Args:
        keys: sides whose words are parted by blanks.
    """
    found: dict[tuple[str, str], list[int]] = {}
    step = max(1, -(-len(rows) // SAMPLE))
    indices = range(0, len(rows), step)
    if len(indices) < _LEAST_ROWS:
        return found
    counts = {key: Counter[str]() for key in keys}
    for index in indices:
        row = rows[index]
        for key in keys:
            counts[key].update(_words(row[key]))
    vocabulary = len(set().union(*counts.values()))
    totals = {key: counter.total() + _UNSEEN * vocabulary for key, counter in counts.items()}
    for index in indices:
        row = rows[index]
        for key in keys:
            for other in keys:
                if other != key and _belongs_to(
                    _words(row[key]), counts[other], totals[other], counts[key], totals[key]
                ):
                    found.setdefault((key, other), []).append(index)
    return found


def _words(text: str) -> set[str]:
    """Words that tell a language; names, numbers and marks tell none."""
    return {word for word in text.split() if word.isalpha() and word == word.lower()}


def _belongs_to(
    words: set[str], there: Mapping[str, int], all_there: float, here: Mapping[str, int], all_here: float
) -> bool:
    if len(words) < _LEAST_WORDS:
        return False
    odds = sum(
        math.log((there.get(word, 0) + _UNSEEN) / all_there) - math.log((here[word] - 1 + _UNSEEN) / all_here)
        for word in words
        if word in there or here[word] > 1
    )
    return odds > max(_TOTAL, _WEIGHT * len(words))
