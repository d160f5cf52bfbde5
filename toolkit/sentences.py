"""Cuts a text into sentences and what stands between them, so that a translation keeps the text's shape.

Models are trained on sentences. Long text goes through them one sentence at a time, while line breaks, indents, bullets
and lines without words are carried over as they are. Nothing is lost: the pieces joined are the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# A full stop after these ends no sentence; one letter and a stop (`J. Smith`) doesn't either.
_SHORTENED = "mr mrs ms dr prof st vs etc e.g i.e cf fig sdr sdri bpk dst dll dsb hlm jl tn ny yth a.n u.p"
_ABBREVIATIONS = frozenset(_SHORTENED.split())
_LINE_BREAKS = re.compile(r"(\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])")
# Bullets and numbering at the start of a line are no part of its first sentence.
_LINE_START = re.compile(r"\s*(?:(?:[-*•–—>#]+|\d{1,3}[.)])\s+)*")
# A run of marks, closing quotes, then white space; scripts that write no space end right after their mark. All is
# possessive and looks back, so that a megabyte of full stops costs no more than a megabyte of words.
_SENTENCE_END = re.compile(r"(?<![.!?…؟۔।॥։])[.!?…؟۔।॥։]++[\"'”’»)\]]*+(?=\s)|(?<![。！？｡])[。！？｡]++[」』”’）]*+")
_WORD_START = re.compile(r"\S")
_LOOK_BACK = 40  # characters; longer than any abbreviation


@dataclass(frozen=True)
class Piece:
    """A part of a text: a sentence to translate, or what is carried over as it is."""

    text: str
    is_sentence: bool


def split_text(text: str) -> list[Piece]:
    """The pieces of a text in order; joined they are the text, and no sentence holds a line break."""
    pieces: list[Piece] = []
    for part in _LINE_BREAKS.split(text):
        pieces.extend(_split_line(part) if part and not _LINE_BREAKS.fullmatch(part) else _kept(part))
    return pieces


def _split_line(line: str) -> list[Piece]:
    start = _LINE_START.match(line)
    begin = start.end() if start else 0
    pieces = _kept(line[:begin])
    for sentence in _sentences(line[begin:]):
        body = sentence.rstrip()
        pieces.extend([Piece(body, True)] if any(letter.isalpha() for letter in body) else _kept(body))
        pieces.extend(_kept(sentence[len(body) :]))
    return pieces


def _kept(text: str) -> list[Piece]:
    return [Piece(text, False)] if text else []


def _sentences(line: str) -> list[str]:
    """Sentences with the white space that follows each."""
    found, begin = [], 0
    for end in _SENTENCE_END.finditer(line):
        following = _WORD_START.search(line, end.end())
        if following is None:
            break
        before = line[max(begin, end.start() - _LOOK_BACK) : end.start()]
        if _ends_sentence(before, end.group(), following.group()):
            found.append(line[begin : following.start()])
            begin = following.start()
    return [*found, line[begin:]] if line[begin:] else found


def _ends_sentence(before: str, mark: str, following: str) -> bool:
    if following.islower():
        return False
    words = before.split()
    word = words[-1].lstrip("\"'“‘«([").lower() if words else ""
    if mark == "." and (word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha())):
        return False
    return bool(word)
