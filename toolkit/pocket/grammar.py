"""The grammar of the pocket phrasebook: patterns of sentences, and how one is filled in four languages at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from toolkit.pocket.lexicon import LANGUAGES, rules
from toolkit.pocket.phrases import Phrase, article
from toolkit.pocket.slots import Chooser, phrase_for


@dataclass(frozen=True)
class Pattern:
    """One sentence pattern: the slots with what may fill them, and a template for each language."""

    name: str
    slots: dict[str, str]
    share: float
    templates: dict[str, str]


@cache
def patterns() -> tuple[Pattern, ...]:
    """The sentence patterns of templates.yaml."""
    return tuple(
        Pattern(entry["name"], entry["slots"], entry.get("share", 1), {code: entry[code] for code in LANGUAGES})
        for entry in rules()["templates"]
    )


def fill(pattern: Pattern, choose: Chooser) -> dict[str, str]:
    """One sentence of this pattern, in every language, with words that `choose` picks."""
    phrases: dict[str, Phrase] = {}
    for slot, wanted in pattern.slots.items():
        kind, _, of = wanted.partition(" of ")
        if not of:
            kind, _, of = wanted.partition(" like ")
        fitting = of in phrases  # "object of V" fits the verb, "place of water" is a name
        phrases[slot] = phrase_for(kind, choose, phrases[of]) if fitting else phrase_for(wanted, choose)
    if "S" in phrases and "V" in phrases:
        verb = phrases["V"].forms["eng"]
        verb["does"] = verb[phrases["S"].forms["eng"]["agrees"]]
    if "A" in phrases and "O" in phrases:
        quality, noun = (phrases[slot].forms["eng"] for slot in "AO")
        quality["a"] = quality["base"] if noun["a"] == noun["bare"] else f"{article(quality['base'])} {quality['base']}"
    return {language: _sentence(pattern.templates[language], phrases, language) for language in LANGUAGES}


def _sentence(template: str, phrases: dict[str, Phrase], language: str) -> str:
    text = template.format(**{slot: phrase.forms[language] for slot, phrase in phrases.items()})
    return text[0].upper() + text[1:]
