"""Sentences to try, by the language they are in; written for this project in words that the pocket phrasebook has."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "eng": (
        "The farmer is planting corn.",
        "The child wants to drink milk.",
        "This coffee is very hot.",
        "Tomorrow the teacher will read a newspaper.",
    ),
    "ind": (
        "Petani itu sedang menanam jagung.",
        "Anak itu ingin minum susu.",
        "Kopi ini panas sekali.",
        "Besok guru itu akan membaca koran.",
    ),
    "jav": (
        "Petani kuwi lagi nandur jagung.",
        "Bocah kuwi pengin ngombe susu.",
        "Kopi iki panas banget.",
        "Sesuk guru kuwi arep maca koran.",
    ),
    "sun": (
        "Patani eta keur melak jagong.",
        "Budak eta hayang nginum susu.",
        "Kopi ieu panas pisan.",
        "Isukan guru eta rek maca koran.",
    ),
}


def examples(language: str) -> tuple[str, ...]:
    """Sentences in this language; none where nobody wrote any."""
    return EXAMPLES.get(language, ())
