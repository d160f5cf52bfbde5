"""Finds languages by whatever people call them: codes, names in any spelling, places."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from toolkit.languages.language import Language

_ALIKE = 0.72
"""From which likeness on two spellings count as one: a slip or two in a word of six letters."""

_LONGEST = 80
"""Characters of a search that are looked at: no name is longer."""

_START, _PLACE, _PART, _CODE = 0.95, 0.85, 0.8, 0.5
"""How much a name's or a word's beginning, a place, a piece of a name and a slip in a code count."""

# Letters that Unicode does not take apart, as keyboards without them write them.
_PLAIN = str.maketrans({"ɓ": "b", "ɗ": "d", "ƙ": "k", "ƴ": "y", "ʋ": "v", "ŋ": "n", "ɛ": "e", "ɔ": "o", "ı": "i",
                        "ø": "o", "ł": "l", "đ": "d", "æ": "ae"})  # fmt: skip


@dataclass(frozen=True)
class Match:
    """A language that was found, and by what."""

    language: Language
    field: str
    value: str
    likeness: float
    """1 for the whole name or code, less for a part of it or another spelling."""


def search_languages(text: str, languages: Iterable[Language]) -> list[Match]:
    """The languages that a text may mean, best first; other spellings only where nothing holds it as it is."""
    wanted = plain(text[:_LONGEST])
    if not wanted:
        return []
    of_each = [list(_matches(wanted, language)) for language in languages]
    best = [max(matches, key=lambda match: match.likeness) for matches in of_each if matches]
    # Whoever typed a whole name means no part of another, and whoever typed a part means no other spelling.
    least = max((match.likeness for match in best), default=0.0)
    least = _START if least == 1.0 else _PART if least >= _PART else 0.0
    found = [match for match in best if match.likeness >= least]
    return sorted(found, key=lambda match: (-match.likeness, match.language.names.english))


def plain(text: str) -> str:
    """A name without case, accents, apostrophes and hyphens."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_PLAIN))
    kept = (" " if letter == "-" else letter for letter in decomposed if _counts(letter))
    return " ".join("".join(kept).split())


def _counts(letter: str) -> bool:
    # Vowel signs of Indic scripts are marks as well, but of the kind that has a place of its own.
    kind = unicodedata.category(letter)
    if kind == "Mn":
        return not unicodedata.name(letter, "").startswith("COMBINING")
    return kind in ("Ll", "Lu", "Lo", "Lt", "Mc", "Nd", "Zs", "Pd")


def _matches(wanted: str, language: Language) -> Iterator[Match]:
    for field, value, is_code in _searched(language):
        likeness = _likeness(wanted, plain(value), is_code, field == "spoken_in")
        if likeness:
            yield Match(language, field, value, likeness)


def _likeness(wanted: str, name: str, is_code: bool, is_place: bool) -> float:
    if wanted == name and not is_place:
        return 1.0
    if is_code:  # every code is one letter away from others, so only a slip in a whole code says something
        return _CODE if len(wanted) == len(name) == 2 and wanted[0] == name[0] else 0.0
    if name.startswith(wanted) or f" {wanted}" in name:
        return _PLACE if is_place else _START
    if len(wanted) > 2 and wanted in name:
        return _PART
    if is_place or len(wanted) < 3:
        return 0.0
    alike = max(SequenceMatcher(None, wanted, part).ratio() for part in {name, *name.split()})
    return alike * _ALIKE if alike >= _ALIKE else 0.0


def _searched(language: Language) -> Iterator[tuple[str, str, bool]]:
    yield "code", language.code, True
    for field, code in (("iso639_1", language.iso639_1), ("glottocode", language.glottocode), ("tag", language.tag)):
        if code:
            yield field, code, True
    for code in language.other_codes:
        yield "other_codes", code, True
    yield "names.english", language.names.english, False
    yield "names.own", language.names.own, False
    for alias in language.names.aliases:
        yield "names.aliases", alias, False
    if language.spoken_in:
        yield "spoken_in", language.spoken_in, False
