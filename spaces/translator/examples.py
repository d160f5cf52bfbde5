"""Sentences to try, by the language they are in; written for this project in words that the pocket phrasebook has."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "eng": (
        "The farmer is planting corn.",
        "Yesterday I gave a book to my friend.",
        "I cannot sleep because I am hungry.",
        "Let's drink tea!",
    ),
    "ind": (
        "Petani itu sedang menanam jagung.",
        "Kemarin aku memberikan buku kepada temanku.",
        "Aku tidak bisa tidur karena aku lapar.",
        "Ayo minum teh!",
    ),
    "jav": (
        "Petani kuwi lagi nandur jagung.",
        "Wingi aku menehake buku marang kancaku.",
        "Aku ora bisa turu amarga aku luwe.",
        "Ayo ngombe teh!",
    ),
    "sun": (
        "Patani eta keur melak jagong.",
        "Kamari kuring mere buku ka babaturan kuring.",
        "Kuring teu bisa sare sabab kuring lapar.",
        "Hayu nginum enteh!",
    ),
}


def examples(language: str) -> tuple[str, ...]:
    """Sentences in this language; none where nobody wrote any."""
    return EXAMPLES.get(language, ())
