"""How a language is called where it is chosen, so that it is found by any of its names."""

from __future__ import annotations

import unicodedata

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


def _without_accents(text: str) -> str:
    return "".join(mark for mark in unicodedata.normalize("NFD", text) if not unicodedata.combining(mark))
