"""The grammar of the pocket phrasebook: words become phrases, phrases fill the slots of templates.yaml.

A phrase has one text in Indonesian, Javanese and Sundanese; in English it has named forms, because English agrees:
`{S[is]}` is "am", "are" or "is" after the subject S, `{V[does]}` is "buy" or "buys".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random

import yaml

from toolkit.pocket.lexicon import LANGUAGES, Word, words_with

VOWELS = "aeiou"
CANDIDATES = 4  # drawn for each word; the one used least is taken


class Forms(dict[str, str]):
    """The forms of a phrase in one language by name; as text it is its usual form."""

    def __str__(self) -> str:
        return self["base"]


@dataclass(frozen=True)
class Phrase:
    """A filled slot: its forms by language, and the word at its head."""

    forms: dict[str, Forms]
    head: Word


@dataclass(frozen=True)
class Pattern:
    """One sentence pattern: the slots with what may fill them, and a template for each language."""

    name: str
    slots: dict[str, str]
    share: float
    templates: dict[str, str]


class Chooser:
    """Picks at random, but prefers words that it has used less, so that the rare ones are learnt too."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)
        self.used: Counter[Word] = Counter()

    def word(self, candidates: Sequence[Word]) -> Word:
        drawn = [candidates[self.random.randrange(len(candidates))] for _ in range(CANDIDATES)]
        chosen = min(drawn, key=lambda word: self.used[word])
        self.used[chosen] += 1
        return chosen

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def text(self, candidates: Sequence[str]) -> str:
        return candidates[self.random.randrange(len(candidates))]


def fill(pattern: Pattern, choose: Chooser) -> dict[str, str]:
    """One sentence of this pattern, in every language, with words that `choose` picks."""
    phrases: dict[str, Phrase] = {}
    for slot, wanted in pattern.slots.items():
        kind, _, of = wanted.partition(" of ")
        if not of:
            kind, _, of = wanted.partition(" like ")
        phrases[slot] = SLOTS[kind](choose, phrases[of]) if of in phrases else _choose(wanted, choose)
    if "S" in phrases and "V" in phrases:
        verb = phrases["V"].forms["eng"]
        verb["does"] = verb[phrases["S"].forms["eng"]["agrees"]]
    if "A" in phrases and "O" in phrases:
        quality, noun = (phrases[slot].forms["eng"] for slot in "AO")
        quality["a"] = (
            quality["base"] if noun["a"] == noun["bare"] else f"{_article(quality['base'])} {quality['base']}"
        )
    return {language: _sentence(pattern.templates[language], phrases, language) for language in LANGUAGES}


@cache
def patterns() -> tuple[Pattern, ...]:
    """The sentence patterns of templates.yaml."""
    return tuple(
        Pattern(entry["name"], entry["slots"], entry.get("share", 1), {code: entry[code] for code in LANGUAGES})
        for entry in _rules()["templates"]
    )


@cache
def _rules() -> dict[str, list]:
    return yaml.safe_load(files("toolkit.pocket").joinpath("templates.yaml").read_text(encoding="utf-8"))


def _sentence(template: str, phrases: dict[str, Phrase], language: str) -> str:
    text = template.format(**{slot: phrase.forms[language] for slot, phrase in phrases.items()})
    return text[0].upper() + text[1:]


# ---- words become phrases -------------------------------------------------------------------------------------------


def plain(word: Word) -> Phrase:
    """A word as it is: verbs, times, places, numbers, names."""
    english = Forms(word.english)
    english.setdefault("base", english.get("a", ""))
    english.update(_agreement(word.concept if word.kind == "pronoun" else "one"))
    return Phrase({"eng": english, **_others(word, "{}")}, word)


def nominal(word: Word, determiner: str = "bare", owner: Word | None = None) -> Phrase:
    """A noun with its determiner: "a book" (bare), "the book", "my book", "Siti's book"."""
    phrase = plain(word)
    english, named = phrase.forms["eng"], phrase.forms["eng"].get("a", phrase.forms["eng"]["base"])
    bare = named.removeprefix("a ").removeprefix("an ").removeprefix("the ")
    english.update(base=named, bare=bare, a=named)
    if determiner == "bare":
        return phrase
    rule = _rules()["determiners"][determiner]  # type: ignore[call-overload]
    whose = owner.ind if owner else ""  # a name, the same in every language
    english["base"] = rule["eng"].format(bare, owner=whose)
    for language, forms in phrase.forms.items():
        if language != "eng":
            forms["base"] = rule[language].format(forms["base"], owner=whose, genitive=_genitive(forms["base"]))
    return phrase


def _others(word: Word, frame: str) -> dict[str, Forms]:
    texts = {"ind": word.ind, "jav": word.jav, "sun": word.sun}
    return {code: Forms(base=frame.format(text), genitive=_genitive(text)) for code, text in texts.items()}


def _genitive(javanese: str) -> str:
    """A Javanese noun that is followed by its owner: omahe, bukune."""
    return javanese + ("ne" if javanese[-1] in VOWELS else "e")


def _article(english: str) -> str:
    return "an" if english[0] in VOWELS else "a"


def _agreement(person: str) -> dict[str, str]:
    if person == "I":
        return {"is": "am", "has": "have", "do": "do", "wants": "want", "agrees": "base"}
    if person in ("you", "we"):
        return {"is": "are", "has": "have", "do": "do", "wants": "want", "agrees": "base"}
    return {"is": "is", "has": "has", "do": "does", "wants": "wants", "agrees": "does"}


# ---- what may fill a slot -------------------------------------------------------------------------------------------


def _choose(wanted: str, choose: Chooser) -> Phrase:
    if wanted in SLOTS:
        return SLOTS[wanted](choose, None)
    return plain(choose.word(words_with(wanted)))


def _owned(choose: Chooser, noun: Word) -> Phrase:
    determiner = choose.text(["my", "my", "your", "your", "owner"])
    return nominal(noun, determiner, choose.word(words_with("name")))


def _company(choose: Chooser, _: Phrase | None = None) -> Phrase:
    kind = choose.text(["kin", "kin", "kin", "name", "person", "person", "person"])
    word = choose.word(words_with(kind))
    return plain(word) if kind == "name" else _known(choose, word)


def _subject(choose: Chooser, _: Phrase | None = None) -> Phrase:
    return plain(choose.word(words_with("pronoun"))) if choose.chance(0.3) else _company(choose)


def _known(choose: Chooser, noun: Word) -> Phrase:
    if noun.kind in ("kin", "body"):
        return _owned(choose, noun)
    if noun.english.get("a", noun.english.get("base", "")).startswith("the "):
        return nominal(noun)
    if noun.kind in ("thing", "large", "house") and choose.chance(0.4):
        return _owned(choose, noun)
    return nominal(noun, choose.text(["the", "the", "this"]))


def _object(choose: Chooser, verb: Phrase | None) -> Phrase:
    assert verb is not None
    noun = choose.word(_taken_by(verb.head))
    if noun.kind == "person":
        return _company(choose)
    return nominal(noun) if noun.kind != "body" and choose.chance(0.5) else _known(choose, noun)


def _like(choose: Chooser, other: Phrase | None) -> Phrase:
    """Another thing of the same kind, to compare with."""
    assert other is not None
    alike = [word for word in words_with(other.head.kind) if word.kind == other.head.kind and word is not other.head]
    return _known(choose, choose.word(alike or [other.head]))


@cache
def _taken_by(verb: Word) -> tuple[Word, ...]:
    return words_with(*sorted(verb.goes_with))


@cache
def _bearers(adjective: Word, *tags: str) -> tuple[Word, ...]:
    """The nouns that this adjective is said of; those with one of the tags, where given."""
    nouns = words_with(*sorted(adjective.goes_with))
    return tuple(noun for noun in nouns if not tags or noun.tags & set(tags))


Slot = Callable[[Chooser, Phrase | None], Phrase]


def _degree(choose: Chooser, _: Phrase | None) -> Phrase:
    """A quality that one can have more of: bigger, but not redder."""
    return plain(choose.word([word for word in words_with("adjective") if "more" in word.english]))


def _bearer(choose: Chooser, quality: Phrase | None) -> Phrase:
    assert quality is not None
    return _known(choose, choose.word(_bearers(quality.head)))


def _quality_of(tag: str) -> Slot:
    """A quality that nouns with this tag can have."""
    return lambda choose, _: plain(choose.word([word for word in words_with("adjective") if _bearers(word, tag)]))


def _new_bearer(*tags: str) -> Slot:
    """A noun with one of these tags, new to the listener, that a quality is said of: a big book."""

    def one(choose: Chooser, quality: Phrase | None) -> Phrase:
        assert quality is not None
        return nominal(choose.word(_bearers(quality.head, *tags)))

    return one


def _word(*tags: str, going_with: str = "") -> Slot:
    return lambda choose, _: plain(choose.word(words_with(*tags, going_with=going_with)))


def _indefinite(*tags: str) -> Slot:
    """A noun with one of these tags that is new to the listener: a book."""
    return lambda choose, _: nominal(choose.word(words_with(*tags)))


def _definite(*tags: str) -> Slot:
    """A noun with one of these tags that the listener knows: the book, this book, your book."""
    return lambda choose, _: _known(choose, choose.word(words_with(*tags)))


SLOTS: dict[str, Slot] = {  # any other name is the kind or tag of a word
    "subject": _subject,
    "somebody": _company,
    "company": _company,
    "kin": _definite("kin"),
    "animal": _definite("animal"),
    "possession": _definite("thing", "fund", "pet"),
    "part": _definite("body"),
    "home": _definite("house"),
    "landmark": _definite("furniture", "house", "plant", "vehicle"),
    "ware": _definite("thing", "large", "food", "pet"),
    "belonging": _indefinite("thing", "large", "house"),
    "property": _indefinite("countable"),
    "thing to give": _indefinite("thing", "food", "fund"),
    "object": _object,
    "quality of things": _quality_of("thing"),
    "quality of property": _quality_of("countable"),
    "quality of food": _quality_of("edible"),
    "degree": _degree,
    "bearer": _bearer,
    "new thing": _new_bearer("thing"),
    "new property": _new_bearer("countable"),
    "new food": _new_bearer("edible"),
    "something": _like,
    "verb of things": _word("verb", going_with="thing"),
    "verb of food": _word("verb", going_with="drink"),
    "action": _word("action", going_with="person"),
    "joint action": _word("action", going_with="together"),
    "action of animal": _word("action", going_with="animal"),
    "place of water": _word("water"),
    "destination": _word("town", "land", "water"),
}
