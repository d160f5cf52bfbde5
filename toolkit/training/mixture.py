"""What a run trains on: the recipe's files as prompted examples, with replay of known languages mixed in."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from toolkit.corpus import Rows, comparable, read_instructions, read_pairs
from toolkit.errors import RecipeError
from toolkit.languages import Direction, get_language, parse_direction
from toolkit.prompts import Example, Template, get_template
from toolkit.recipe import DataSource, Recipe, TestSet
from toolkit.records import DataInfo


@dataclass(frozen=True)
class Mixture:
    """Examples in a shuffled order, what each source gave, and the bare sentences of each language."""

    examples: tuple[Example, ...]
    sources: tuple[DataInfo, ...]
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def directions(self) -> tuple[str, ...]:
        """Directions that the new language was trained in, e.g. `eng>jav`."""
        wanted = {language for source in self.sources if source.role == "target" for language in source.languages}
        groups = sorted({example.group for example in self.examples})
        return tuple(group for group in groups if ">" in group and set(group.split(">")) <= wanted)


def mix(recipe: Recipe) -> Mixture:
    """Read, clean, prompt and mix the recipe's training data.

    Rows that share a sentence with one of the recipe's test sets are left out and counted. Replay is drawn at random,
    repeated only when its files hold fewer examples than `replay_share` asks for.

    Raises:
        CorpusError, RecipeError: if a file or its description cannot be used.
    """
    draw = random.Random(recipe.seed)
    template = get_template(recipe.prompt)
    held_out = _held_out_sentences(recipe.evaluation)
    taught, sources, texts = _collect(recipe, recipe.data, "target", template, held_out, draw)
    examples = taught
    if recipe.replay and recipe.replay_share:
        known, known_sources, known_texts = _collect(recipe, recipe.replay, "replay", template, held_out, draw)
        wanted = round(len(taught) * recipe.replay_share / (1 - recipe.replay_share))
        examples = taught + _draw(known, wanted, draw)
        sources += known_sources
        texts = {code: texts.get(code, ()) + known_texts.get(code, ()) for code in sorted(texts | known_texts)}
    draw.shuffle(examples)
    return Mixture(tuple(examples), tuple(sources), texts)


def source_directions(source: DataSource | TestSet) -> tuple[Direction, ...]:
    """The directions that a parallel file serves: those named, else both between its two columns.

    Raises:
        RecipeError: if the file says neither directions nor exactly two columns.
    """
    if source.directions:
        return tuple(parse_direction(text) for text in source.directions)
    if len(source.columns) != 2:
        raise RecipeError(
            f"{Path(source.path).name}: which languages does it hold?",
            "add `directions: [eng>jav, jav>eng]`, or `columns:` with two languages",
        )
    first, second = source.columns
    return Direction(first, second), Direction(second, first)


def languages_of(directions: Iterable[Direction]) -> tuple[str, ...]:
    """ISO 639-3 codes that occur, sorted; each is in the registry."""
    codes = sorted({code for direction in directions for code in (direction.source, direction.target)})
    return tuple(get_language(code).code for code in codes)


def _collect(
    recipe: Recipe,
    sources: Sequence[DataSource],
    role: Literal["target", "replay"],
    template: Template,
    held_out: set[str],
    draw: random.Random,
) -> tuple[list[Example], list[DataInfo], dict[str, tuple[str, ...]]]:
    examples: list[Example] = []
    infos: list[DataInfo] = []
    texts: dict[str, tuple[str, ...]] = {}
    for source in sources:
        path = Path(source.path)
        if source.kind == "instructions":
            directions: tuple[Direction, ...] = ()
            languages: tuple[str, ...] = (recipe.language,)
            rows = read_instructions(path)
        else:
            directions = source_directions(source)
            languages = languages_of(directions)
            rows = read_pairs(path, languages, source.columns)
        rows = _limit(_without_leaks(rows, held_out), source.limit, draw)
        if directions:
            examples += _translations(rows, directions, template)
        else:
            examples += [_instruction(row, template) for row in rows.rows]
        for language in languages:  # of an instruction, the answer alone is sure to be in the language
            key = language if directions else "output"
            texts[language] = texts.get(language, ()) + tuple(row[key] for row in rows.rows)
        infos.append(
            DataInfo(
                name=rows.name,
                kind=source.kind,
                role=role,
                languages=languages,
                rows=len(rows.rows),
                dropped=rows.dropped,
                fingerprint=rows.fingerprint,
                licence=source.licence,
                origin=source.origin,
            )
        )
    if role == "target" and not any(recipe.language in info.languages for info in infos):
        raise RecipeError(
            f"none of the data is in {recipe.language}, the language to learn",
            "name its column and directions in `data:`",
        )
    return examples, infos, texts


def _translations(rows: Rows, directions: Sequence[Direction], template: Template) -> list[Example]:
    examples = []
    for direction in directions:
        source, target = get_language(direction.source), get_language(direction.target)
        for row in rows.rows:
            prompt = template.translate(row[direction.source], source, target)
            examples.append(Example(prompt, template.completion(row[direction.target]), str(direction)))
    return examples


def _instruction(row: dict[str, str], template: Template) -> Example:
    prompt = template.instruct(row["instruction"], row["input"])
    return Example(prompt, template.completion(row["output"]), "instructions")


def _held_out_sentences(tests: Iterable[TestSet]) -> set[str]:
    """Every sentence of the test sets, in every language that is scored, in comparable form."""
    sentences: set[str] = set()
    for test in tests:
        rows = read_pairs(Path(test.path), languages_of(source_directions(test)), test.columns)
        sentences.update(comparable(text) for row in rows.rows for text in row.values())
    return sentences


def _without_leaks(rows: Rows, held_out: set[str]) -> Rows:
    kept = tuple(row for row in rows.rows if held_out.isdisjoint(comparable(text) for text in row.values() if text))
    leaked = len(rows.rows) - len(kept)
    return replace(rows, rows=kept, dropped=rows.dropped | {"also in a test set": leaked}) if leaked else rows


def _limit(rows: Rows, limit: int | None, draw: random.Random) -> Rows:
    if limit is None or limit >= len(rows.rows):
        return rows
    return replace(rows, rows=tuple(draw.sample(rows.rows, limit)))


def _draw(examples: list[Example], wanted: int, draw: random.Random) -> list[Example]:
    """`wanted` examples: all of them as often as they fit, the rest at random without repetition."""
    whole, rest = divmod(wanted, len(examples))
    return examples * whole + draw.sample(examples, rest)
