"""Which names look the same to a reader, however they are typed.

A name can hold characters that nobody sees (joiners, fillers) and letters of another script with the same shape.
"""

from __future__ import annotations

import unicodedata

# Code points that Unicode lets be ignored when text is drawn, beyond those of the category Cf.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(point) for point in range(0xFE00, 0xFE10)
}
# Cyrillic, Greek and Armenian letters that are drawn as Latin ones; capitals whose small letters are not come first.
_SHAPES = str.maketrans(
    "ВЕЗКМНОРСТХУІЈЅҺԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧаеорсухіјѕһԁԛԝοανιρυͻϲϳօսհցɑɡıꞌʼ’‘",
    "BE3KMHOPCTXYIJSHQWABEZHIKMNOPTYXaeopcyxijshdqwoavipuↄcjouhgagi''''",
)
_ALIKE = str.maketrans("l1|0", "iiio")


def as_seen(name: str) -> str:
    """The name as it looks: two that look the same give the same; not for showing."""
    composed = unicodedata.normalize("NFKC", name).translate(_SHAPES)
    kept = (letter for letter in composed if letter not in _UNSEEN and unicodedata.category(letter) != "Cf")
    return " ".join("".join(kept).replace("-", " ").casefold().translate(_ALIKE).split())
