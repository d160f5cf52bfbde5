"""One source of training data after the other: read, cleaned, compared with the rest, and put on disk."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from toolkit.corpus import Form, OnBroken, SentenceIndex, Table, instructions_form, open_place, pairs_form, text_form
from toolkit.corpus.digests import Digests, digest
from toolkit.corpus.identification import SAMPLE_ROWS, can_identify, get_identifier, identify
from toolkit.corpus.rows import nothing_left
from toolkit.corpus.shelf import Shelf
from toolkit.corpus.table import INSTRUCTION_SUFFIXES, TABLE_SUFFIXES, TEXT_SUFFIXES
from toolkit.errors import CorpusError, RecipeError
from toolkit.languages import Direction, get_language, parse_direction
from toolkit.languages.texts import shown
from toolkit.prompts import Example, Template, get_template
from toolkit.recipe import DataSource, Recipe
from toolkit.records import DataInfo, Identification
from toolkit.training.examples import Part, Texts

TEXT = "text"  # the group of examples that are plain text: packed, with the loss on every token
INSTRUCTIONS = "instructions"
REPEATED, EARLIER, LEAKED = "repeated row", "also in an earlier source", "also in a test set"
_SHOWN = 100  # characters of a test sentence
_SUFFIXES = {"parallel": TABLE_SUFFIXES, "instructions": INSTRUCTION_SUFFIXES, "text": TEXT_SUFFIXES}


@dataclass
class Gatherer:
    """What must be known of the sources before, so that no row comes twice or from a test set."""

    recipe: Recipe
    template: Template
    tested: SentenceIndex
    draw: random.Random
    held_out: list[Part] = field(default_factory=list)
    texts: dict[str, Texts] = field(default_factory=dict)  # of the sources so far, by language
    _earlier: Digests = field(default_factory=Digests)  # of the examples that sources so far have given

    def gather(self, source: DataSource, role: Literal["target", "replay"]) -> tuple[Part, DataInfo]:
        """The examples of this source, and what there is to say about it.

        Raises:
            CorpusError: if it cannot be read, or nothing is left of it, or it holds test sentences and `on_leak` is
                `stop`.
            RecipeError: if the recipe does not say what it holds.
        """
        reader = _Reader(source, self.recipe, self.template)
        share = self.recipe.held_out_share if role == "target" else 0.0
        rows, held_out, here = Shelf(reader.form.keys), Shelf(reader.form.keys), Digests()
        dropped: dict[str, int] = {}
        places: dict[str, str] = {}
        leaked: dict[str, str] = {}  # a sentence of each test set, from the first row with one

        def leave_out(fault: str, place: str) -> None:
            dropped[fault] = dropped.get(fault, 0) + 1
            places.setdefault(fault, place)

        table = reader.open(lambda row: leave_out(row.fault, row.place))
        for number, raw in table.rows:
            texts, fault = reader.form.clean_row(raw)
            if fault is None:
                identities = reader.identities(texts)
                if all(identity in here for identity in identities):
                    fault = REPEATED
                elif all(identity in self._earlier for identity in identities):
                    fault = EARLIER
                elif found := reader.find(self.tested, texts):
                    fault = LEAKED
                    leaked = leaked or found
                for identity in identities:
                    here.add(identity)
            if fault is not None:
                leave_out(fault, f"{table.unit} {number}")
            elif share and digest("\x1f".join(sorted(texts.values()))) < share * 2**64:  # the same for either direction
                held_out.add(texts)
            else:
                rows.add(texts)
        if LEAKED in dropped and self.recipe.on_leak == "stop":
            test, sentence = next(iter(leaked.items()))
            raise CorpusError(
                f"{table.name}: {dropped[LEAKED]:,} of its rows share a sentence with a test set of this recipe "
                f"(first: {places[LEAKED]}): {shown(sentence, _SHOWN)} of {test}",
                "take them out of the data, or set `on_leak: drop` in the recipe, which leaves them out of training",
            )
        if not rows:
            raise nothing_left(table.name, dropped)
        if source.limit is not None and source.limit < len(rows):
            if held_out:  # as large a share of what is used as of the whole
                held_out = held_out.pick(range(max(1, len(held_out) * source.limit // len(rows))))
            rows = rows.pick(self.draw.sample(range(len(rows)), source.limit))
            here = Digests()
            for row in chain(rows, held_out):
                for identity in reader.identities(row):
                    here.add(identity)
        self._earlier = _union(self._earlier, here)
        for language in reader.languages:
            self.texts[language] = self.texts.get(language, Texts()) + Texts([(rows, reader.key_of(language))])
        if held_out:
            self.held_out.append(reader.part(held_out))
        return reader.part(rows), DataInfo(
            name=table.name,
            kind=source.kind,
            role=role,
            languages=reader.languages,
            rows=len(rows),
            dropped=dropped,
            first_dropped=places,
            fingerprint=rows.fingerprint,
            licence=source.licence,
            origin=source.origin,
            weight=source.weight,
            held_out=len(held_out),
            identified=tuple(reader.identified(rows)),
        )


def leaked_rows(source: DataSource, recipe: Recipe, tested: SentenceIndex) -> Iterator[tuple[str, dict[str, str]]]:
    """Usable rows of a source that hold test sentences: where each stands, and a sentence of each test set.

    Raises:
        CorpusError, HubError, RecipeError: if the source cannot be read.
    """
    reader = _Reader(source, recipe, get_template(recipe.prompt))
    table = reader.open()
    for number, raw in table.rows:
        texts, fault = reader.form.clean_row(raw)
        if fault is None and (found := reader.find(tested, texts)):
            yield f"{table.name}, {table.unit} {number}", found


class _Reader:
    """How rows of one source are read, compared, and worded."""

    def __init__(self, source: DataSource, recipe: Recipe, template: Template) -> None:
        self.source = source
        self.template = template
        self.directions: tuple[Direction, ...] = ()
        self.languages: tuple[str, ...] = (get_language(source.language or recipe.language).code,)
        if source.kind == "parallel":
            self.directions = source_directions(source)
            self.languages = languages_of(self.directions)
        self.form = self._form()

    def _form(self) -> Form:
        if self.source.kind == "parallel":
            return pairs_form(self.source.where, self.languages, self.source.columns)
        if self.source.kind == "instructions":
            return instructions_form()
        return text_form(self.source.columns.get(self.languages[0], "text"))

    def open(self, leave_out: OnBroken = lambda row: None) -> Table:
        """The raw rows; those that cannot be read go to `leave_out` where the recipe has them dropped."""
        on_broken = leave_out if self.source.on_bad_row == "drop" else None
        return open_place(self.source, _SUFFIXES[self.source.kind], on_broken).require(self.form.columns)

    def identities(self, texts: Mapping[str, str]) -> list[int]:
        """Digests of the examples that a row gives; a row all of whose examples were there before adds nothing."""
        if not self.directions:
            return [digest("\x1f".join(("", *texts.values())))]
        return [
            digest(f"{direction}\x1f{texts[direction.source]}\x1f{texts[direction.target]}")
            for direction in self.directions
        ]

    def find(self, tested: SentenceIndex, texts: Mapping[str, str]) -> dict[str, str]:
        """For each test set that shares a sentence with this row, such a sentence."""
        return tested.find(texts.values(), plain=self.source.kind == "text")

    def part(self, rows: Shelf) -> Part:
        if self.directions:
            return Part(rows, tuple(map(str, self.directions)), self._translation)
        if self.source.kind == "instructions":
            return Part(rows, (INSTRUCTIONS,), self._instruction)
        return Part(rows, (TEXT,), lambda row, group: Example("", row["text"], group))

    def _translation(self, row: dict[str, str], group: str) -> Example:
        direction = parse_direction(group)
        source, target = get_language(direction.source), get_language(direction.target)
        prompt = self.template.translate(row[direction.source], source, target)
        return Example(prompt, self.template.completion(row[direction.target]), group)

    def _instruction(self, row: dict[str, str], group: str) -> Example:
        prompt = self.template.instruct(row["instruction"], row["input"])
        return Example(prompt, self.template.completion(row["output"]), group)

    def key_of(self, language: str) -> str:
        """The key of text in this language; of an instruction, the answer alone is sure to be in it."""
        return {"parallel": language, "instructions": "output", "text": "text"}[self.source.kind]

    def identified(self, rows: Shelf) -> Iterable[Identification]:
        """Per language, what language identification makes of rows spread evenly over the source."""
        if not can_identify():
            return
        identifier = get_identifier()
        numbers = range(0, len(rows), -(-len(rows) // SAMPLE_ROWS))
        for language in self.languages:
            yield identify((rows[number][self.key_of(language)] for number in numbers), language, identifier)


def source_directions(source: DataSource) -> tuple[Direction, ...]:
    """The directions that a parallel source serves: those named, else both between its two columns.

    Raises:
        RecipeError: if the recipe says neither directions nor exactly two columns.
    """
    if source.directions:
        return tuple(parse_direction(text) for text in source.directions)
    if len(source.columns) != 2:
        raise RecipeError(
            f"{source.where}: which languages does it hold?",
            "add `directions: [eng>jav, jav>eng]`, or `columns:` with two languages",
        )
    first, second = source.columns
    return Direction(first, second), Direction(second, first)


def languages_of(directions: Iterable[Direction]) -> tuple[str, ...]:
    """ISO 639-3 codes that occur, sorted; each is in the registry."""
    codes = sorted({code for direction in directions for code in (direction.source, direction.target)})
    return tuple(get_language(code).code for code in codes)


def _union(one: Digests, other: Digests) -> Digests:
    large, small = (one, other) if len(one) > len(other) else (other, one)
    for value in small:
        large.add(value)
    return large
