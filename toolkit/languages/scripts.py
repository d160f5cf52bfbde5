"""Whether a language's script, its direction and the name it gives itself fit together."""

from __future__ import annotations

import unicodedata

from toolkit.languages import codes
from toolkit.languages.codes import Wrong
from toolkit.languages.language import Language
from toolkit.languages.searching import plain
from toolkit.languages.texts import shown

# Scripts of ISO 15924 that mix others, by the first words of their letters' names in Unicode.
_MIXED = {
    "Aran": {"ARABIC"},
    "Hanb": {"CJK", "BOPOMOFO"},
    "Hani": {"CJK"},
    "Hans": {"CJK"},
    "Hant": {"CJK"},
    "Hrkt": {"HIRAGANA", "KATAKANA"},
    "Jpan": {"CJK", "HIRAGANA", "KATAKANA"},
    "Kore": {"CJK", "HANGUL"},
}


def check_writing(language: Language) -> list[tuple[str, Wrong]]:
    """What is wrong with script, direction and own name, each with its field."""
    unknown = codes.check_script(language.script)
    if unknown:
        return [("script", unknown)]
    found = []
    name = codes.script_names(language.script)[0]
    runs = codes.writing_direction(language.script)
    if language.direction != runs:
        found.append(("direction", Wrong(f"{name} does not run {language.direction}", f"write {runs}")))
    own = language.names.own
    seen = _scripts_of(own)
    if seen and not seen & expected_letters(language.script):
        listed = ", ".join(sorted(word.title() for word in seen))
        wrong = f"{shown(own)} is in {listed} letters, and `script` says {language.script} ({name})"
        found.append(("names.own", Wrong(wrong, "write it in that script, the other into aliases, or mend `script`")))
    return found


def _scripts_of(text: str) -> set[str]:
    """The first words of its letters' names in Unicode: LATIN, DEVANAGARI, CJK."""
    names = (unicodedata.name(letter, "?") for letter in text if unicodedata.category(letter)[0] == "L")
    return {name.replace("-", " ").split()[0] for name in names}


def expected_letters(script: str) -> set[str]:
    """The first words of the Unicode names of letters that a script is written with: {LATIN}."""
    named = {word for name in codes.script_names(script) for word in plain(name).upper().split()}
    return _MIXED.get(script, named)
