"""Answers that end in a loop of the same words: what a weak model writes, and what a score need not tell.

`mwa mwa mwa mwa` is Swahili to a language identifier. Welleck et al. (arXiv 1908.04319) measure such repetition by
n-grams of words; here it is found by its period, so that scripts without spaces need no words.
"""

from __future__ import annotations

from collections.abc import Iterable

NOTED = 0.05  # share of such answers from which on a score is not left without a caution
_REPEATS, _LONG_ENOUGH = 3, 12  # times in the half that is looked at, characters of it


def ends_in_loop(answer: str) -> bool:
    """Whether the second half of an answer is one piece of text with letters in it, three times or more."""
    text = " ".join(answer.casefold().split())
    half = text[len(text) // 2 :]
    if len(half) < _LONG_ENOUGH or not any(map(str.isalpha, half)):
        return False
    return any(half[period:] == half[:-period] for period in range(1, len(half) // _REPEATS + 1))


def looping_share(answers: Iterable[str]) -> float:
    """Share of answers that end in a loop; 0 of none."""
    found = [ends_in_loop(answer) for answer in answers]
    return sum(found) / len(found) if found else 0.0
