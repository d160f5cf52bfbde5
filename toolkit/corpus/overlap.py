"""Sentences of test sets, found wherever they stand in other text.

Two texts are compared word by word, whatever stands between the words: blanks, line breaks, punctuation, and case do
not count. As n-gram overlap does (GPT-3, arXiv 2005.14165, appendix C), a search begins where the first few words
agree; here the rest of the sentence is then compared, too, so that what is found is the whole sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from toolkit.corpus.cleaning import clean, comparable
from toolkit.sentences import split_text

# A sentence with as many words, or letters, is one that nobody writes twice by chance; a shorter one must be all of a
# cell, of a line, or of a sentence of plain text, to count.
_ENOUGH_WORDS, _ENOUGH_LETTERS = 8, 40
_ANCHOR = 5  # words by which a sentence is looked up
_LONG_ANCHOR = 16  # the same where each character is a word
# Written without blanks: here each character is a word of its own. About how many make up a real one:
_UNSPACED = {
    2: ((0x2E80, 0x312F), (0x31A0, 0x31FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x20000, 0x3FFFF)),
    4: (
        (0x0E00, 0x0EFF),  # Thai, Lao
        (0x1000, 0x109F),  # Burmese
        (0x1780, 0x17FF),  # Khmer
        (0x1950, 0x19FF),  # Tai Le, New Tai Lue
        (0x1A20, 0x1AAF),  # Tai Tham
        (0x1B00, 0x1B7F),  # Balinese
        (0xA980, 0xA9FF),  # Javanese, Burmese
        (0xAA60, 0xAADF),  # Burmese, Tai Viet
    ),
}  # fmt: skip
_BEYOND_16_BITS = "\U00010000-\U0001cfff\U0001e000-\U0001efff"  # letters, nearly all of them
_HAN_BEYOND = "\U00020000-\U0003ffff"
_APOSTROPHES = re.compile("[\u2018\u2019\u02bb\u02bc`´]")
_PARAGRAPH_END = re.compile(r"\n\s*\n")


@dataclass(slots=True)
class _Sentence:
    text: str  # as the test set has it
    words: str  # as it is compared, one blank between two
    tests: list[str]


@dataclass
class SentenceIndex:
    """Sentences, each with the names of the test sets that hold it."""

    _short: dict[str, _Sentence] = field(default_factory=dict)  # by their comparable form
    _long: dict[str, _Sentence] = field(default_factory=dict)  # by their words
    _anchors: dict[int, dict[tuple[str, ...], list[_Sentence]]] = field(default_factory=dict)  # by length, first words

    def __bool__(self) -> bool:
        return bool(self._short or self._long)

    def add(self, text: str, test: str) -> None:
        """Look for this text of a test set, and for each sentence in it that is long enough to be told by itself."""
        text = clean(text)
        words = _words(text)
        if _is_enough(words):
            self._put(text, words, test)
        elif wanted := comparable(text):
            _name(self._short.setdefault(wanted, _Sentence(text, wanted, [])), test)
        pieces = [piece.text for piece in split_text(text) if piece.is_sentence]
        if len(pieces) > 1:
            for piece in pieces:
                if _is_enough(words := _words(piece)):
                    self._put(piece, words, test)

    def find(self, cells: Iterable[str], *, plain: bool = False) -> dict[str, str]:
        """For each test set that shares a sentence with these texts, the first such sentence.

        Args:
            plain: whether they are running text, of which each line and each sentence may be a short sentence, too.
        """
        found: dict[str, str] = {}
        for cell in cells:
            if not cell:
                continue
            if self._short:
                for piece in _pieces(cell) if plain else (cell,):
                    sentence = self._short.get(comparable(" ".join(piece.split())))
                    if sentence is not None:
                        _tell(sentence, found)
            if self._long:
                for sentence in self._inside(_words(cell)):
                    _tell(sentence, found)
        return found

    def _put(self, text: str, words: list[str], test: str) -> None:
        joined = " ".join(words)
        if joined not in self._long:
            self._long[joined] = sentence = _Sentence(text, joined, [])
            first = words[:_LONG_ANCHOR]
            size = _LONG_ANCHOR if len(first) == _LONG_ANCHOR and all(map(_characters_per_word, first)) else _ANCHOR
            self._anchors.setdefault(size, {}).setdefault(tuple(words[:size]), []).append(sentence)
        _name(self._long[joined], test)

    def _inside(self, words: list[str]) -> Iterator[_Sentence]:
        for size, anchors in self._anchors.items():
            if anchors.keys().isdisjoint(_runs(words, size)):  # nearly always, and no loop of Python's runs
                continue
            for begin, run in enumerate(_runs(words, size)):
                for sentence in anchors.get(run, ()):
                    if " ".join(words[begin : begin + sentence.words.count(" ") + 1]) == sentence.words:
                        yield sentence


def _name(sentence: _Sentence, test: str) -> None:
    if test not in sentence.tests:
        sentence.tests.append(test)


def _tell(sentence: _Sentence, found: dict[str, str]) -> None:
    for test in sentence.tests:
        found.setdefault(test, sentence.text)


def _runs(words: list[str], size: int) -> Iterable[tuple[str, ...]]:
    return zip(*(words[begin:] for begin in range(size)), strict=False)


def _pieces(text: str) -> Iterator[str]:
    """Lines and sentences, also those that go on in the next line."""
    yield from filter(str.strip, text.splitlines())
    yield from (piece.text for piece in split_text(text) if piece.is_sentence)
    if "\n" in text:
        for paragraph in _PARAGRAPH_END.split(text):
            yield from (piece.text for piece in split_text(" ".join(paragraph.split())) if piece.is_sentence)


def _words(text: str) -> list[str]:
    """Lower-case words without punctuation; in scripts without blanks, each character."""
    folded = text.casefold()
    if not folded.isascii():
        folded = _APOSTROPHES.sub("'", folded).replace("\u00ad", "")
    return _word().findall(folded)


def _is_enough(words: list[str]) -> bool:
    if len(words) < _ANCHOR:
        return False
    real = sum(1 / (_characters_per_word(word) or 1) for word in words)
    return real >= _ENOUGH_WORDS or sum(map(len, words)) >= _ENOUGH_LETTERS


def _characters_per_word(word: str) -> int:
    """How many characters like this one make up a word; 0 for what is a word between blanks."""
    if len(word) > 1 or word < "\u0e00":
        return 0
    ranges = ((each, first, last) for each, known in _UNSPACED.items() for first, last in known)
    return next((each for each, first, last in ranges if first <= ord(word) <= last), 0)


@cache
def _word() -> re.Pattern[str]:
    """A word with its vowel signs and accents, which `\\w` leaves out; `don't` is one."""
    spaced, unspaced = list[str](), list[str]()
    for character in map(chr, range(0x10000)):
        if unicodedata.category(character)[0] in "LMN":
            (unspaced if _characters_per_word(character) else spaced).append(character)
    between = f"[{''.join(spaced)}{_BEYOND_16_BITS}]+"
    return re.compile(f"{between}(?:'{between})*|[{''.join(unspaced)}{_HAN_BEYOND}]")
