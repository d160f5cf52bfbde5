"""Characters that sentences seldom need: invisible, damaged, unassigned, or borrowed from another script."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

UNICODE = unicodedata.unidata_version

# What text needs although nobody sees it: line ends and tabs; joiner and non-joiner, which many scripts spell with.
_NEEDED = "\t\n\r\u200c\u200d"
_MARKS_OF_DIRECTION = "\u200e\u200f\u061c\u2066\u2067\u2068\u2069"  # at home in text that runs right to left
_TURNING = "\u202a\u202b\u202c\u202d\u202e" + _MARKS_OF_DIRECTION
_KINDS = {"Cc": "control", "Cf": "invisible", "Cn": "unassigned", "Co": "private-use", "Cs": "surrogate"}
_KINDS |= {"Zl": "control", "Zp": "control"}
_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")

# Letters of two scripts that look alike.
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u0250-\u02af\u1e00-\u1eff]")
# Greek, Cyrillic and Armenian letters that pass for Latin ones, those of African alphabets among them (ε for ɛ).
_ALIKE = re.compile("[αβγεηικνορτυχͻϵϲΑΒΕΖΗΙΚΜΝΟΡΤΥΧаеорсухіјѕһԁԛԝқәөєАВЕНІЈКМОРСЅТУХҺӘӨЄօոսհցգ]")
_SHORTEST = 3  # letters; shorter ones are often formulas

# UTF-8 that was read as Windows-1252: the first byte of a sequence, and the others as that code page shows them.
_WINDOWS = "".join(bytes([byte]).decode("cp1252", errors="ignore") for byte in range(0x80, 0xC0))
_TWICE = re.compile(f"[Â-ô][{re.escape(_WINDOWS)}\u0080-\u009f]{{1,3}}")
_CLOSING = "\u00a0”’…»“‘«›–—"  # behind a real letter these are what they seem


_APOSTROPHES = re.compile("(?<=[^\\W\\d_])['’ʼʻ`´‘](?=[^\\W\\d_])")
_OFTEN, _SHARE = 20, 0.1  # apostrophes in all, and of one kind, from which on several kinds are worth telling


def count_apostrophes(text: str, counts: Counter[str]) -> None:
    """Add the apostrophes between letters, of whatever kind."""
    counts.update(_APOSTROPHES.findall(text))


def several_apostrophes(counts: Counter[str]) -> list[tuple[str, int]]:
    """The kinds of apostrophe that are common, most first; none if they are all of one kind."""
    total = counts.total()
    common = [(kind, count) for kind, count in counts.most_common() if count >= _SHARE * total]
    return common if total >= _OFTEN and len(common) > 1 else []


def unusual(text: str, *, rtl: bool) -> list[tuple[int, str, str]]:
    """Position, kind and character of what is unusual; each kind is told once.

    Kinds: control, invisible, unassigned, private-use, surrogate, direction, damaged (the sign that stands for a byte
    that was lost).

    Args:
        rtl: the language is written right to left, where marks of direction are usual.
    """
    found: dict[str, tuple[int, str, str]] = {}
    if not text.isprintable():
        for position, character in enumerate(text):
            kind = _kind(character, rtl=rtl)
            if kind is not None:
                found.setdefault(kind, (position, kind, character))
    lost = text.find("\ufffd")
    if lost >= 0:
        found["damaged"] = (lost, "damaged", "\ufffd")
    return list(found.values())


def mixed_word(text: str) -> tuple[int, str] | None:
    """The first word that mixes Latin letters with Cyrillic, Greek or others that look like them."""
    if text.isascii():
        return None
    for found in _WORD.finditer(text):
        if len(found[0]) >= _SHORTEST and _LATIN.search(found[0]) and _ALIKE.search(found[0]):
            return found.start(), found[0]
    return None


def misread(text: str) -> tuple[int, str, str] | None:
    """The first place where UTF-8 was read as Windows-1252: position, what stands there, what was meant."""
    if text.isascii():
        return None
    for found in _TWICE.finditer(text):
        shown, before = found[0], text[: found.start()][-1:]
        for end in range(len(shown), 1, -1):
            meant = _meant(shown[:end])
            is_real = shown[end - 1] in _CLOSING and (before.isupper() or shown[0].islower()) and shown[:2] != "â€"
            if meant is None or is_real:
                continue
            return found.start(), shown[:end], meant
    return None


def count_unusual(text: str, counts: Counter[str], *, rtl: bool) -> None:
    """Add the unusual characters of a text to `counts`."""
    if not text.isprintable():
        counts.update(character for character in text if _kind(character, rtl=rtl) or _BLANKS.match(character))
    counts.update({"\ufffd": text.count("\ufffd")} if "\ufffd" in text else {})


def describe(character: str) -> str:
    """`U+200B ZERO WIDTH SPACE`."""
    name = unicodedata.name(character, _KINDS.get(unicodedata.category(character), "no name"))
    return f"U+{ord(character):04X} {name}"


def _kind(character: str, *, rtl: bool) -> str | None:
    if character in _NEEDED:
        return None
    if character in _TURNING:
        return None if rtl and character in _MARKS_OF_DIRECTION else "direction"
    kind = _KINDS.get(unicodedata.category(character))
    # Signs that format numbers and poetry in some scripts (U+0600 to U+0605, U+06DD, U+070F, U+08E2, U+110BD).
    return None if kind == "invisible" and unicodedata.bidirectional(character) in ("AN", "AL", "L") else kind


def _meant(shown: str) -> str | None:
    try:
        raw = b"".join(
            character.encode("cp1252") if character in _WINDOWS or ord(character) >= 0xC0 else bytes([ord(character)])
            for character in shown
        )
        meant = raw.decode("utf-8")
    except (UnicodeError, ValueError):
        return None
    return meant if len(meant) == 1 and unicodedata.category(meant) not in _KINDS else None
