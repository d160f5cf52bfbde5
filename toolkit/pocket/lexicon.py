"""The phrasebook as written by hand: words from lexicon.tsv, sentence patterns and determiners from templates.yaml."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

LANGUAGES = ("eng", "ind", "jav", "sun")

FORMS = {  # the English forms that a kind of word lists, separated by slashes; other words have one form
    "verb": ("base", "does", "ing", "did", "done"),
    "action": ("base", "does", "ing", "did", "done"),
    "swimming": ("base", "does", "ing", "did", "done"),
    "adjective": ("base", "more"),
    "pronoun": ("base", "own", "object"),
    "place": ("base", "at", "to"),
}
NOUN_FORMS = ("a", "many")
SELECTING = ("verb", "action", "swimming", "adjective")


@dataclass(frozen=True, eq=False)  # one object for each concept
class Word:
    """One concept: English by the name of each form, one form in the other languages."""

    concept: str
    kind: str
    eng: tuple[tuple[str, str], ...]
    ind: str
    jav: str
    sun: str
    tags: frozenset[str]  # what it counts as: its kind, and for nouns the last column of the file
    goes_with: frozenset[str]  # for verbs and adjectives, the last column: what they take, or what they can be said of

    @property
    def english(self) -> dict[str, str]:
        """The English forms by name."""
        return dict(self.eng)


@cache
def words() -> tuple[Word, ...]:
    """Every word of the lexicon, in the order of the file."""
    lines = [line for line in _text("lexicon.tsv").splitlines() if not line.startswith("#")]
    return tuple(_read(row) for row in csv.DictReader(lines, delimiter="\t"))


@cache
def words_with(*tags: str, going_with: str = "") -> tuple[Word, ...]:
    """The words that carry one of these tags (and, where given, go with `going_with`)."""
    found = (word for word in words() if word.tags & set(tags))
    return tuple(word for word in found if not going_with or going_with in word.goes_with)


@cache
def rules() -> dict[str, Any]:
    """The content of templates.yaml: `determiners` and `templates`."""
    return yaml.safe_load(_text("templates.yaml"))


def determiners() -> dict[str, dict[str, str]]:
    """By name, how a noun looks with it in each language; `{}` is the noun."""
    return rules()["determiners"]


def _text(name: str) -> str:
    return files("toolkit.pocket").joinpath(name).read_text(encoding="utf-8")


def _read(row: dict[str, str]) -> Word:
    kind, forms, last = row["kind"], row["eng"].split("/"), frozenset(row["tags"].split())
    selects = kind in SELECTING
    names = FORMS.get(kind, NOUN_FORMS if forms[0].startswith(("a ", "an ", "the ")) or len(forms) > 1 else ("base",))
    english = dict(zip(names, forms, strict=False))
    return Word(
        concept=row["concept"],
        kind=kind,
        eng=tuple(english.items()),
        ind=row["ind"],
        jav=row["jav"],
        sun=row["sun"],
        tags=frozenset([kind]) if selects else last | {kind},
        goes_with=last if selects else frozenset(),
    )
