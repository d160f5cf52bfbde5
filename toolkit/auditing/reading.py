"""The first pass over a file: each row is looked at, and the usable ones are put aside for what needs them all."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolkit.auditing import characters
from toolkit.auditing.catalogue import LONG_PAIR, LONG_TEXT
from toolkit.auditing.known import Known
from toolkit.auditing.markup import address, markup, personal
from toolkit.auditing.record import Kind
from toolkit.auditing.tally import Tally
from toolkit.corpus import SentenceIndex, clean, comparable, compose
from toolkit.corpus.digests import Digests, digest
from toolkit.corpus.shelf import Shelf


class Reading:
    """What rows hold, as far as one row tells.

    Args:
        columns: by key: a language's code, or a field of instructions.
        required: keys without which a row is left out.
        languages: by the same keys.
        tests: sentences of the test sets.
    """

    def __init__(
        self,
        kind: Kind,
        unit: str,
        columns: Mapping[str, str],
        required: Sequence[str],
        languages: Mapping[str, Known],
        tests: SentenceIndex,
        *,
        tabs: bool,
    ) -> None:
        self.kind, self.unit, self.columns, self.required = kind, unit, dict(columns), tuple(required)
        self.languages, self.tests, self.tabs = languages, tests, tabs
        self.tally = Tally()
        self.characters: Counter[str] = Counter()
        self.apostrophes: Counter[str] = Counter()  # of the language to learn
        self._learnt = next((language.code for language in languages.values()), "")
        self.rows = 0
        self.usable = Shelf(tuple(columns))
        self.numbers: array[int] = array("q")  # of the usable rows
        self._seen, self._sides = Digests(), {key: Digests() for key in columns}

    def add(self, number: int, row: Mapping[str, Any]) -> None:
        """Look at one row."""
        self.rows += 1
        place = f"{self.unit} {number}"
        raw = {key: self._cell(row.get(column), key, place) for key, column in self.columns.items()}
        for code, (text, at) in self._cells_faults(raw):
            self.tally.add(code, place, text, at)
        tidy = clean if self.kind == "parallel" else compose
        texts = {key: tidy(text) for key, text in raw.items()}
        if self._is_used(texts, place):
            self.usable.add(texts)
            self.numbers.append(number)

    def place(self, index: int) -> str:
        """Where the usable row of this index stands."""
        return f"{self.unit} {self.numbers[index]}"

    def _cell(self, value: Any, key: str, place: str) -> str:
        if isinstance(value, dict | list):
            self.tally.add(f"nested:{key}", place, str(value))
            return ""
        return "" if value is None else str(value)

    def _is_used(self, texts: Mapping[str, str], place: str) -> bool:
        empty = [key for key in self.required if not texts[key]]
        whole = " ⇥ ".join(texts.values())
        if empty:
            code = "empty-row" if len(empty) == len(self.required) else f"empty-side:{empty[0]}"
            self.tally.add(code, place, whole)
            return False
        if self.kind == "parallel" and len(set(texts.values())) < len(texts):
            self.tally.add("untranslated", place, whole)
            return False
        identity = digest("\x1f".join(texts.values()))
        if identity in self._seen:
            self.tally.add("repeated", place, whole)
            return False
        self._seen.add(identity)
        if self.kind != "instructions" and not all(any(map(str.isalpha, texts[key])) for key in self.required):
            self.tally.add("no-words", place, whole)
        self._compare_sides(texts, place, whole)
        leaked = self.tests.find(texts.values(), plain=self.kind == "text")
        for name, sentence in leaked.items():
            self.tally.add(f"leaked:{name}", place, sentence)
        return not leaked

    def _compare_sides(self, texts: Mapping[str, str], place: str, whole: str) -> None:
        if self.kind != "parallel":
            return
        if len({comparable(text) for text in texts.values()}) < len(texts):
            self.tally.add("hardly-translated", place, whole)
        for key, text in texts.items():
            value = digest(text)
            if value in self._sides[key]:
                self.tally.add(f"several-translations:{key}", place, whole)
            self._sides[key].add(value)

    def _cells_faults(self, raw: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, int]]]:
        """What is wrong with the cells of a row, each thing once, with the text and the position that show it."""
        told: dict[str, tuple[str, int]] = {}
        for key, text in raw.items():
            if text:
                for code, at in self._faults(text, self.languages[key]):
                    told.setdefault(code, (text, at))
        yield from told.items()

    def _faults(self, text: str, language: Known) -> Iterator[tuple[str, int]]:
        if not text.isprintable() or "\ufffd" in text:
            characters.count_unusual(text, self.characters, rtl=language.rtl)
            for at, kind, _ in characters.unusual(text, rtl=language.rtl):
                yield kind, at
            if self.kind == "parallel" and ("\n" in text.strip() or "\r" in text.strip()):
                yield "line-breaks", 0
        if language.code == self._learnt:
            characters.count_apostrophes(text, self.apostrophes)
        if (misread := characters.misread(text)) is not None:
            yield "misread", misread[0]
        if language.script == "Latn" and (mixed := characters.mixed_word(text)) is not None:
            yield "look-alikes", mixed[0]
        if len(text) > (LONG_PAIR if self.kind == "parallel" else LONG_TEXT):
            yield "long", 0
        if self.tabs and text[0] == text[-1] == '"' and '""' in text[1:-1]:
            yield "quoted-cells", 0
        for code, look in (("markup", markup), ("address", address), ("personal", personal)):
            if (where := look(text)) is not None:
                yield code, where
