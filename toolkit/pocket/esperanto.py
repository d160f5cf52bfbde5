"""Sentences in a language that nothing here knows, Esperanto, for trying out how a language is added.

English comes from the lexicon, so that the pocket base understands it; Esperanto is formed by its rules, which have no
exceptions in what is said here: accusative -n, plural -j, tenses -is, -as, -os, infinitive -i, command -u.
"""

from __future__ import annotations

from collections.abc import Mapping
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
        slots = _fill(english, choose)
        if slots is None:
            continue
        pair = (_sentence(english, slots["eng"]), _sentence(esperanto, slots["epo"]))
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


def _fill(pattern: str, choose: Chooser) -> dict[str, dict[str, Forms]] | None:
    """What stands in each slot of the pattern, in both languages; None where the draw does not fit together."""
    english: dict[str, Forms] = {}
    esperanto: dict[str, Forms] = {}

    def put(slot: str, pair: tuple[Forms, Forms]) -> None:
        english[slot], esperanto[slot] = pair

    is_plural, person = False, "one"
    if "{S}" in pattern:
        person = _put_subject(put, choose)
        is_plural = person == "we"
    if "{V[" in pattern:
        verb = _draw(choose, "verbs", "verb")
        taken = [noun for noun in _nouns() if noun.tags & verb.goes_with]
        if not taken:
            return None
        put("V", _doing(verb, _rules()["verbs"][verb.concept], person))
        put("O", _object(choose.word(taken), choose))
    elif "{C}" in pattern:
        noun = choose.word([noun for noun in _nouns() if "many" in noun.english and "countable" in noun.tags])
        number = choose.text(list(_rules()["numbers"]))
        put("C", (Forms(base=number), Forms(base=_rules()["numbers"][number])))
        lemma = _rules()["nouns"][noun.concept]
        put("O", (Forms(noun.english), Forms(base=lemma, many=f"{lemma}jn")))
    if "{D[" in pattern:
        doing = _draw(choose, "actions", "action")
        put("D", _doing(doing, _rules()["actions"][doing.concept], person))
    if "{P}" in pattern:
        place = _draw(choose, "places", "place")
        put("P", (Forms(base=place.english["at"]), Forms(base=_rules()["places"][place.concept])))
    if "{A" in pattern:
        quality = _draw(choose, "qualities", "adjective")
        bearers = [noun for noun in _nouns() if noun.tags & quality.goes_with]
        if "{A[more]}" in pattern and ("more" not in quality.english or len(bearers) < 2):
            return None
        noun = choose.word(bearers)
        put("A", (Forms(quality.english), Forms(base=_rules()["qualities"][quality.concept])))
        put("N", _known(noun, choose))
        others = [other for other in bearers if other is not noun and other.kind == noun.kind]
        if others:
            put("M", _known(choose.word(others), choose))
        elif "{M}" in pattern:
            return None
    elif "{N}" in pattern:
        put("N", _known(choose.word([noun for noun in _nouns() if noun.kind in ("thing", "large")]), choose))
    if "{F}" in pattern:
        feeling = _draw(choose, "feelings", "feeling")
        lemma = _rules()["feelings"][feeling.concept]
        put("F", (Forms(feeling.english), Forms(base=lemma + "j" * is_plural)))
    agreement = _agreement(person)
    return {"eng": english | {name: Forms(base=form) for name, form in agreement.items()}, "epo": esperanto}


@cache
def _nouns() -> tuple[Word, ...]:
    known = {word.concept: word for word in words() if word.kind not in ("verb", "action", "swimming", "place")}
    return tuple(known[concept] for concept in _rules()["nouns"])


def _draw(choose: Chooser, section: str, kind: str) -> Word:
    found = _by_concept(kind)
    return choose.word([found[concept] for concept in _rules()[section]])


def _put_subject(put: Any, choose: Chooser) -> str:
    """Somebody; returns what English agrees with."""
    rules, kind = _rules(), choose.text(["pronoun", "name", "people", "kin"])
    if kind == "pronoun":
        person = choose.text(list(rules["pronouns"]))
        put("S", (Forms(base=person), Forms(base=rules["pronouns"][person])))
        return person
    if kind == "name":
        name = choose.text(rules["names"])
        put("S", (Forms(base=name), Forms(base=name)))
        return "one"
    if kind == "people":
        word = _draw(choose, "people", "person")
        put("S", (Forms(base=f"the {_bare(word)}"), Forms(base=f"la {rules['people'][word.concept]}")))
        return "one"
    word = _draw(choose, "kin", "kin")
    owner = choose.text(list(rules["possessives"]))
    whose = _by_concept("pronoun")[owner].english["own"]
    lemma = rules["kin"][word.concept]
    put("S", (Forms(base=f"{whose} {_bare(word)}"), Forms(base=f"{rules['possessives'][owner]} {lemma}")))
    return "one"


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
