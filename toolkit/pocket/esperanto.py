"""Sentences in a language that nothing here knows, Esperanto, for trying out how a language is added.

English comes from the lexicon, so that the pocket base understands it; Esperanto is formed by its rules, which have no
exceptions in what is said here: accusative -n, plural -j, tenses -is, -as, -os, infinitive -i, command -u.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from toolkit.pocket.lexicon import Word, words
from toolkit.pocket.phrases import Forms
from toolkit.pocket.slots import Chooser

ROWS = 2000
TRIES_PER_ROW = 20


def practice_pairs(rows: int = ROWS) -> list[tuple[str, str]]:
    """Distinct pairs of English and Esperanto; always the same, in one order."""
    choose, patterns = Chooser("practice"), _rules()["patterns"]
    pairs, seen = list[tuple[str, str]](), set[str]()
    for number in range(rows * TRIES_PER_ROW):
        english, esperanto = patterns[number % len(patterns)]
        filled = _fill(english, choose)
        if filled is None:
            continue
        agreeing = {name: Forms(base=form) for name, form in _agreement(filled.person).items()}
        pair = (_sentence(english, filled.english | agreeing), _sentence(esperanto, filled.esperanto))
        if seen.isdisjoint(pair):
            seen.update(pair)
            pairs.append(pair)
        if len(pairs) == rows:
            break
    return pairs


def write_practice(path: Path) -> int:
    """Write the pairs as a tsv file with the columns `english` and `esperanto`; return how many there are."""
    pairs = practice_pairs()
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["english\tesperanto", *("\t".join(pair) for pair in pairs)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return len(pairs)


@cache
def _rules() -> Mapping[str, Any]:
    return yaml.safe_load(files("toolkit.pocket").joinpath("esperanto.yaml").read_text(encoding="utf-8"))


@cache
def _by_concept(*kinds: str) -> dict[str, Word]:
    """The words of these kinds of the lexicon, by concept."""
    return {word.concept: word for word in words() if word.kind in kinds}


@dataclass
class _Filled:
    """What stands in the slots of a pattern, in both languages, and whom English agrees with."""

    english: dict[str, Forms] = field(default_factory=dict)
    esperanto: dict[str, Forms] = field(default_factory=dict)
    person: str = "one"  # or a pronoun

    def put(self, slot: str, pair: tuple[Forms, Forms]) -> None:
        self.english[slot], self.esperanto[slot] = pair


def _fill(pattern: str, choose: Chooser) -> _Filled | None:
    """The slots of this English pattern, filled; None where what was drawn does not fit together."""
    filled = _Filled()
    if "{S}" in pattern:
        _put_subject(filled, choose)
    if "{V[" in pattern and not _put_deed(filled, choose):
        return None
    if "{C}" in pattern:
        _put_count(filled, choose)
    if "{D[" in pattern:
        doing = _draw(choose, "actions", "action")
        filled.put("D", _doing(doing, _rules()["actions"][doing.concept], filled.person))
    if "{P}" in pattern:
        place = _draw(choose, "places", "place")
        filled.put("P", (Forms(base=place.english["at"]), Forms(base=_rules()["places"][place.concept])))
    if "{A" in pattern:
        if not _put_quality(filled, choose, compares="{A[more]}" in pattern):
            return None
    elif "{N}" in pattern:
        things = [noun for noun in _nouns() if noun.kind in ("thing", "large")]
        filled.put("N", _known(choose.word(things), choose))
    if "{F}" in pattern:
        feeling = _draw(choose, "feelings", "feeling")
        plural = "j" if filled.person == "we" else ""
        filled.put("F", (Forms(feeling.english), Forms(base=_rules()["feelings"][feeling.concept] + plural)))
    return filled


def _put_deed(filled: _Filled, choose: Chooser) -> bool:
    """A verb, and what it is done to; False where nothing here can be its object."""
    verb = _draw(choose, "verbs", "verb")
    taken = [noun for noun in _nouns() if noun.tags & verb.goes_with]
    if taken:
        filled.put("V", _doing(verb, _rules()["verbs"][verb.concept], filled.person))
        filled.put("O", _object(choose.word(taken), choose))
    return bool(taken)


def _put_count(filled: _Filled, choose: Chooser) -> None:
    """A number, and so many things."""
    noun = choose.word([noun for noun in _nouns() if "many" in noun.english and "countable" in noun.tags])
    number = choose.text(list(_rules()["numbers"]))
    filled.put("C", (Forms(base=number), Forms(base=_rules()["numbers"][number])))
    lemma = _rules()["nouns"][noun.concept]
    filled.put("O", (Forms(noun.english), Forms(base=lemma, many=f"{lemma}jn")))


def _put_quality(filled: _Filled, choose: Chooser, *, compares: bool) -> bool:
    """A quality, and a thing that has it, and another of its kind to compare with; False where there is none."""
    quality = _draw(choose, "qualities", "adjective")
    bearers = [noun for noun in _nouns() if noun.tags & quality.goes_with]
    if compares and ("more" not in quality.english or len(bearers) < 2):
        return False
    noun = choose.word(bearers)
    filled.put("A", (Forms(quality.english), Forms(base=_rules()["qualities"][quality.concept])))
    filled.put("N", _known(noun, choose))
    others = [other for other in bearers if other is not noun and other.kind == noun.kind]
    if others:
        filled.put("M", _known(choose.word(others), choose))
    return bool(others) or not compares


@cache
def _nouns() -> tuple[Word, ...]:
    known = {word.concept: word for word in words() if word.kind not in ("verb", "action", "swimming", "place")}
    return tuple(known[concept] for concept in _rules()["nouns"])


def _draw(choose: Chooser, section: str, kind: str) -> Word:
    found = _by_concept(kind)
    return choose.word([found[concept] for concept in _rules()[section]])


def _put_subject(filled: _Filled, choose: Chooser) -> None:
    """Somebody: I, Siti, the teacher, my mother."""
    rules, kind = _rules(), choose.text(["pronoun", "name", "people", "kin"])
    if kind == "pronoun":
        filled.person = choose.text(list(rules["pronouns"]))
        filled.put("S", (Forms(base=filled.person), Forms(base=rules["pronouns"][filled.person])))
    elif kind == "name":
        name = choose.text(rules["names"])
        filled.put("S", (Forms(base=name), Forms(base=name)))
    elif kind == "people":
        word = _draw(choose, "people", "person")
        filled.put("S", (Forms(base=f"the {_bare(word)}"), Forms(base=f"la {rules['people'][word.concept]}")))
    else:
        word = _draw(choose, "kin", "kin")
        owner = choose.text(list(rules["possessives"]))
        whose, lemma = _by_concept("pronoun")[owner].english["own"], rules["kin"][word.concept]
        filled.put("S", (Forms(base=f"{whose} {_bare(word)}"), Forms(base=f"{rules['possessives'][owner]} {lemma}")))


def _doing(verb: Word, root: str, person: str) -> tuple[Forms, Forms]:
    english = Forms(verb.english)
    if person != "one":
        english["does"] = english["base"]
    return english, Forms(base=root)


def _object(noun: Word, choose: Chooser) -> tuple[Forms, Forms]:
    """The book, a book, my book, as what something is done to."""
    lemma = _rules()["nouns"][noun.concept]
    how = choose.text(["the", "a", "my", "this"])
    english = noun.english.get("a", noun.english.get("base", "")) if how == "a" else f"{how} {_bare(noun)}"
    esperanto = {"the": f"la {lemma}n", "a": f"{lemma}n", "my": f"mian {lemma}n", "this": f"ĉi tiun {lemma}n"}[how]
    return Forms(base=english), Forms(base=esperanto)


def _known(noun: Word, choose: Chooser) -> tuple[Forms, Forms]:
    """The book, my book, this book, as what something is said of."""
    lemma = _rules()["nouns"][noun.concept]
    how = choose.text(["the", "my", "your", "this"])
    esperanto = {"the": f"la {lemma}", "my": f"mia {lemma}", "your": f"via {lemma}", "this": f"ĉi tiu {lemma}"}[how]
    return Forms(base=f"{how} {_bare(noun)}"), Forms(base=esperanto)


def _bare(noun: Word) -> str:
    named = noun.english.get("a", noun.english.get("base", ""))
    return named.removeprefix("a ").removeprefix("an ").removeprefix("the ")


def _agreement(person: str) -> dict[str, str]:
    if person == "one":
        return {"is": "is", "has": "has", "wants": "wants"}
    return {"is": "am" if person == "I" else "are", "has": "have", "wants": "want"}


def _sentence(template: str, slots: dict[str, Forms]) -> str:
    text = template.format(**slots)
    return text[0].upper() + text[1:]
