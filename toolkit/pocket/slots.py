"""What may fill a slot of a sentence pattern: a subject, an object that the verb takes, a noun that a quality fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from random import Random

from toolkit.pocket.lexicon import Word, words_with
from toolkit.pocket.phrases import Phrase, nominal, plain

CANDIDATES = 4  # drawn for each word; the one used least is taken


class Chooser:
    """Picks at random, but prefers words that it has used less, so that the rare ones are learnt too."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)
        self.used: Counter[Word] = Counter()

    def word(self, candidates: Sequence[Word]) -> Word:
        """One of these words."""
        drawn = [candidates[self.random.randrange(len(candidates))] for _ in range(CANDIDATES)]
        chosen = min(drawn, key=lambda word: self.used[word])
        self.used[chosen] += 1
        return chosen

    def chance(self, share: float) -> bool:
        """True in this share of calls."""
        return self.random.random() < share

    def text(self, candidates: Sequence[str]) -> str:
        """One of these texts, each as likely."""
        return candidates[self.random.randrange(len(candidates))]


def phrase_for(wanted: str, choose: Chooser, other: Phrase | None = None) -> Phrase:
    """A phrase for a slot that names one of `SLOTS`, or else the kind or tag of a word; `other` is what it must fit."""
    if wanted in SLOTS:
        return SLOTS[wanted](choose, other)
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


SLOTS: dict[str, Slot] = {
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
