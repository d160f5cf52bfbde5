"""Counts what is found, and keeps the first places of each."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict

from toolkit.auditing.record import Example, Finding, Severity

KEPT = 5
_SHOWN = 90
_UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


class Tally:
    """Rows by code; a code stands for one thing that can be wrong."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._examples: dict[str, list[Example]] = defaultdict(list)

    def add(self, code: str, place: str, text: str, at: int = 0) -> None:
        """One more row; `at` is the position in the text that the excerpt must show."""
        self.counts[code] += 1
        if len(self._examples[code]) < KEPT:
            self._examples[code].append(Example(place, excerpt(text, at)))

    def finding(self, code: str, severity: Severity, message: str, fix: str, of: int) -> Finding:
        """What was found under this code.

        Args:
            of: rows that were looked at.
        """
        count = self.counts[code]
        share = round(count / of, 4) if of else None
        return Finding(
            code=code,
            severity=severity,
            count=count,
            share=share,
            message=message,
            fix=fix,
            examples=tuple(self._examples[code]),
        )


def excerpt(text: str, at: int = 0) -> str:
    """At most a line of the text around a position, with what cannot be seen spelt out."""
    start = max(0, at - _SHOWN // 2) if len(text) > _SHOWN else 0
    part = text[start : start + _SHOWN]
    shown = "".join(_seen(character) for character in part)
    return ("…" if start else "") + shown + ("…" if start + _SHOWN < len(text) else "")


def _seen(character: str) -> str:
    if character in "\t\n\r":
        return {"\t": "⇥", "\n": "⏎", "\r": "␍"}[character]
    return f"⟨U+{ord(character):04X}⟩" if unicodedata.category(character) in _UNSEEN else character


def rows(count: int) -> str:
    """`1 row`, `2,000 rows`."""
    return "1 row" if count == 1 else f"{count:,} rows"
