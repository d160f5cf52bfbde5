"""How a language is called where it is chosen and in tables, and how text says which language it is in."""

from __future__ import annotations

import unicodedata
from html import escape

from toolkit.languages import Language

MAX_NAMES = 3


def label(language: Language) -> str:
    """`Basa Jawa · Javanese · Ngoko · jav`: what the choice shows, and what typing into it searches.

    Each name is there with and without its accents, unless another one holds it already; of the aliases one, because
    a phone is narrow.
    """
    names = [language.names.own]
    for name in (language.names.english, *language.names.aliases):
        if name.casefold() not in " · ".join(names).casefold() and len(names) < MAX_NAMES:
            names.append(name)
    for name in tuple(names):
        plain = _without_accents(name)
        if plain.casefold() not in " · ".join(names).casefold():
            names.append(plain)
    return " · ".join([*names, language.code])


def tag(language: Language) -> str:
    """The value of `lang`, by which browsers choose glyphs, fonts and voices (BCP 47).

    The script is named unless it is Latin: `zh` alone does not say whether signs are simplified, nor `pa` which of two
    scripts, and the page's style sheet names fonts by script.
    """
    code = language.hub_code or language.code
    return code if language.script == "Latn" else f"{code}-{language.script}"


def written_in(language: Language) -> str:
    """The attributes of an element that holds text in this language."""
    return f'lang="{escape(tag(language))}" dir="{language.direction}"'


def own_name(language: Language) -> str:
    """The language's own name as HTML, which keeps its direction to itself."""
    return f"<bdi {written_in(language)}>{escape(language.names.own)}</bdi>"


def _without_accents(text: str) -> str:
    return "".join(mark for mark in unicodedata.normalize("NFD", text) if not unicodedata.combining(mark))
