"""Which characters and which paths people may write into a language file.

Whatever is written there is shown on cards, pages and terminals, and its paths are opened: characters that are not seen
or that turn the text around them are refused, and so is each path that leaves its folder on any system.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

# The blank; zero-width non-joiner and joiner, without which Persian, Sinhala and others cannot be spelt.
_NEEDED = " \u200c\u200d"
_UNSEEN = {
    "Cc": "a control character",
    "Cf": "an invisible or direction-changing character",
    "Cn": f"a code point that Unicode {unicodedata.unidata_version} has not assigned",
    "Co": "a private-use character",
    "Cs": "half of a surrogate pair",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
    "Zs": "a blank that is not the ordinary one",
}
_DEVICES = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")
_SHOWN = 60


def hostile_character(text: str, allowed: str = "") -> tuple[int, str] | None:
    """Position and description of the first character that nobody should write, or None."""
    for position, character in enumerate(text):
        kind = unicodedata.category(character)
        if kind in _UNSEEN and character not in _NEEDED and character not in allowed:
            return position, f"U+{ord(character):04X}, {_UNSEEN[kind]}"
    return None


def visible(text: str) -> str:
    """The text, with what nobody sees in it spelt out."""
    return text if hostile_character(text) is None else ascii(text)[1:-1]


def shown(value: object, limit: int = _SHOWN) -> str:
    """A value as messages quote it: at most so many characters, on one line, with nothing invisible in it."""
    text = visible(value) if isinstance(value, str) else ascii(value)
    return f"'{text[:limit]}…' ({len(text)} characters)" if len(text) > limit else f"'{text}'"


def unsafe_path(text: str) -> str | None:
    """What is wrong with a path or file pattern, or None if it stays inside its folder on every system."""
    if not text:
        return "it is empty"
    if "\\" in text:
        return "it has a backslash"
    if ":" in text:
        return "it has a colon, as drives and streams of Windows have"
    if text.startswith(("/", "~")):
        return "it starts outside of its folder"
    parts = text.split("/")
    if ".." in parts:
        return "it climbs out of its folder"
    if "" in parts or "." in parts:
        return "it has an empty part"
    for part in PurePosixPath(text).parts:
        if _DEVICES.match(part):
            return f"'{part}' is a device on Windows"
        if part != part.strip(" ") or part.endswith("."):
            return f"'{part}' starts or ends with a blank or a full stop"
        if set(part) & set('<>"|'):
            return f"'{part}' has a character that Windows refuses"
        if part.startswith("-"):
            return f"'{part}' would be read as an option"
    return None
