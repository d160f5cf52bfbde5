"""Words become phrases: a noun with its determiner, a verb in its forms.

A phrase has one text in Indonesian, Javanese and Sundanese; in English it has named forms, because English agrees:
`{S[is]}` is "am", "are" or "is" after the subject S, `{V[does]}` is "buy" or "buys".
"""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.pocket.lexicon import Word, determiners

VOWELS = "aeiou"


class Forms(dict[str, str]):
    """The forms of a phrase in one language by name; as text it is its usual form."""

    def __str__(self) -> str:
        return self["base"]


@dataclass(frozen=True)
class Phrase:
    """A filled slot: its forms by language, and the word at its head."""

    forms: dict[str, Forms]
    head: Word


def plain(word: Word) -> Phrase:
    """A word as it is: verbs, times, places, numbers, names."""
    english = Forms(word.english)
    english.setdefault("base", english.get("a", ""))
    english.update(_agreement(word.concept if word.kind == "pronoun" else "one"))
    others = {"ind": word.ind, "jav": word.jav, "sun": word.sun}
    return Phrase({"eng": english} | {code: Forms(base=text) for code, text in others.items()}, word)


def nominal(word: Word, determiner: str = "bare", owner: Word | None = None) -> Phrase:
    """A noun with its determiner: "a book" (bare), "the book", "my book", "Siti's book"."""
    phrase = plain(word)
    english, named = phrase.forms["eng"], phrase.forms["eng"].get("a", phrase.forms["eng"]["base"])
    bare = named.removeprefix("a ").removeprefix("an ").removeprefix("the ")
    english.update(base=named, bare=bare, a=named)
    phrase.forms["jav"]["genitive"] = _genitive(word.jav)
    if determiner == "bare":
        return phrase
    rule = determiners()[determiner]
    whose = owner.ind if owner else ""  # a name, the same in every language
    english["base"] = rule["eng"].format(bare, owner=whose)
    for language, forms in phrase.forms.items():
        if language != "eng":
            forms["base"] = rule[language].format(forms["base"], owner=whose, genitive=forms.get("genitive"))
    return phrase


def _genitive(javanese: str) -> str:
    """A Javanese noun that is followed by its owner: omahe, bukune."""
    return javanese + ("ne" if javanese[-1] in VOWELS else "e")


def article(english: str) -> str:
    """The indefinite article before this word."""
    return "an" if english[0] in VOWELS else "a"


def _agreement(person: str) -> dict[str, str]:
    if person == "I":
        return {"is": "am", "has": "have", "do": "do", "wants": "want", "agrees": "base"}
    if person in ("you", "we"):
        return {"is": "are", "has": "have", "do": "do", "wants": "want", "agrees": "base"}
    return {"is": "is", "has": "has", "do": "does", "wants": "wants", "agrees": "does"}
