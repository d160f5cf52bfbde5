"""What is known of a language that is audited: from the registry, or from its code alone where it is not there yet."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass

from toolkit.errors import LanguageError
from toolkit.languages import Language, all_languages, get_language
from toolkit.languages.codes import (
    check_code,
    english_names,
    macrolanguage,
    script_names,
    two_letters,
    writing_direction,
)
from toolkit.languages.scripts import expected_letters

# Scripts whose words are not parted by blanks; tokens and lengths are then counted without words.
_UNPARTED = {"Hans", "Hant", "Hani", "Jpan", "Thai", "Laoo", "Khmr", "Mymr", "Tibt", "Java", "Bali", "Lana", "Talu"}

_SURE_SCRIPTS = {"Latn", "Arab", "Cyrl", "Deva"}  # others are too often a guess of the tables


@dataclass(frozen=True)
class Known:
    """One language as an audit needs it."""

    code: str
    name: str
    codes: tuple[str, ...]  # by which models and columns may mean it
    names: tuple[str, ...]  # by which columns may be called
    script: str | None  # ISO 15924
    related: frozenset[str]  # codes of relatives that identification may take it for

    @property
    def rtl(self) -> bool:
        """Whether it is written from right to left."""
        return self.script is not None and writing_direction(self.script) == "rtl"

    @property
    def has_words(self) -> bool:
        """Whether blanks part its words."""
        return self.script not in _UNPARTED

    def is_written_in(self, script: str) -> bool:
        """Whether letters whose Unicode names begin with this word (`LATIN`) are its own."""
        return self.script is None or script in expected_letters(self.script)

    @property
    def script_name(self) -> str:
        """The English name of its script."""
        return script_names(self.script)[0] if self.script else "unknown"


def known(language: str | Language) -> Known:
    """What there is to know of a language, given as a code or as an entry that is not in the registry yet.

    Raises:
        LanguageError: if there is no such code.
    """
    if isinstance(language, str) and language not in all_languages():
        wrong = check_code(language)
        if wrong is not None:
            get_language(language)  # knows a nearer one, and raises
            raise LanguageError(wrong.message, wrong.fix)
        return _by_code(language)
    entry = language if isinstance(language, Language) else get_language(language)
    codes = (entry.code, *([entry.hub_code] if entry.hub_code else []), *entry.other_codes)
    relatives = {macro for macro in (macrolanguage(entry.code),) if macro}
    relatives |= {code for code, other in all_languages().items() if entry.code in other.related} | set(entry.related)
    return Known(
        entry.code,
        entry.names.english,
        tuple(dict.fromkeys(codes)),
        (entry.names.english, entry.names.own, *entry.names.aliases),
        entry.script,
        frozenset(code for each in relatives for code in (each, two_letters(each)) if code),
    )


def _by_code(code: str) -> Known:
    from langcodes import Language as Tag

    names = english_names(code)
    likely = Tag.get(code).maximize().script if names else None
    script = likely if likely in _SURE_SCRIPTS else None
    codes = (code, *([two] if (two := two_letters(code)) else []))
    macro = macrolanguage(code)
    return Known(code, names[0] if names else code, codes, names, script, frozenset([macro] if macro else []))


def letters_by_script(text: str, counts: Counter[str]) -> None:
    """Add the letters of a text to `counts`, by the first word of their names in Unicode: LATIN, CYRILLIC, CJK."""
    if text.isascii():
        counts["LATIN"] += sum(map(str.isalpha, text))
        return
    for letter in text:
        if letter.isalpha():
            counts[_script_of(letter)] += 1


_seen: dict[str, str] = {}


def _script_of(letter: str) -> str:
    script = _seen.get(letter)
    if script is None:
        script = _seen[letter] = unicodedata.name(letter, "?").replace("-", " ").split()[0]
    return script
