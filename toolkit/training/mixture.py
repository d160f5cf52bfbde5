"""What a run trains on: the recipe's sources as prompted examples, with replay of known languages mixed in."""

from __future__ import annotations

import random
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from toolkit.corpus import SentenceIndex
from toolkit.errors import CorpusError, RecipeError
from toolkit.prompts import get_template
from toolkit.recipe import DataSource, Recipe, local_files
from toolkit.records import DataInfo
from toolkit.test_sets import digest_of_sentences, sentences
from toolkit.training.examples import Examples, Part, Texts
from toolkit.training.gathering import EARLIER, REPEATED, Gatherer


@dataclass(frozen=True)
class Mixture:
    """Examples in a shuffled order, what each source gave, and the bare sentences of each language."""

    examples: Examples
    sources: tuple[DataInfo, ...]
    held_out: Examples  # never trained on; empty unless the recipe asks for them
    texts: Mapping[str, Texts]
    tests: tuple[str, ...] = ()  # sha256 of the sentences of each test set, in the recipe's order

    @property
    def directions(self) -> tuple[str, ...]:
        """Directions that the new language was trained in, e.g. `eng>jav`."""
        wanted = {language for source in self.sources if source.role == "target" for language in source.languages}
        groups = sorted(self.examples.groups())
        return tuple(group for group in groups if ">" in group and set(group.split(">")) <= wanted)


def mix(recipe: Recipe) -> Mixture:
    """Read, clean, prompt and mix the recipe's training data.

    The rows lie in a temporary file; memory holds about a hundred bytes for each. A row that an earlier source has
    given is left out. Rows that share a sentence with one of the recipe's test sets stop the run, or are left out and
    counted, as `on_leak` says. Replay is drawn at random, repeated only when its sources hold fewer examples than
    `replay_share` asks for.

    Raises:
        CorpusError, RecipeError, HubError: if a source or its description cannot be used.
        RecipeError: if the best weights are to be kept, and no row is there to tell them by.
    """
    draw = random.Random(recipe.seed)
    tested, tests = SentenceIndex(), list[str]()
    for test in recipe.evaluation:
        texts = list(sentences(test))
        tests.append(digest_of_sentences(texts))
        for text in texts:
            tested.add(text, test.dataset)
    gatherer = Gatherer(recipe, get_template(recipe.prompt), tested, draw)
    parts: list[Part] = []
    taught, sources = _collect(recipe, recipe.data, "target", gatherer, parts, draw)
    if recipe.keep_best and not gatherer.held_out:
        raise RecipeError(
            f"keep_best: of {sum(info.rows for info in sources):,} rows, held_out_share {recipe.held_out_share:g} "
            "keeps none from training to measure the loss on",
            "raise `held_out_share`, or leave out `keep_best`",
        )
    order = taught
    if recipe.replay and recipe.replay_share:
        known, known_sources = _collect(recipe, recipe.replay, "replay", gatherer, parts, draw)
        wanted = round(len(taught) * recipe.replay_share / (1 - recipe.replay_share))
        order = taught + _draw(known, wanted, draw)
        sources += known_sources
    draw.shuffle(order)  # type: ignore[arg-type]
    return Mixture(
        Examples(parts, order),
        tuple(sources),
        Examples(gatherer.held_out),
        gatherer.texts,
        tuple(tests),
    )


def mix_if_here(recipe: Recipe) -> Mixture | None:
    """`mix`, where every source and test set is a file that is here; else None, and nothing is downloaded."""
    places = (*recipe.data, *recipe.replay, *recipe.evaluation)
    on_hub = any(getattr(place, "hub", None) for place in places)
    return None if on_hub or not all(path.is_file() for path in local_files(recipe)) else mix(recipe)


def refuse_repetition(mixture: Mixture) -> None:
    """Raise where one row, again and again, is all there is to learn from.

    Raises:
        CorpusError: naming the source that has it.
    """
    taught = [source for source in mixture.sources if source.role == "target"]
    repeated = sum(source.dropped.get(fault, 0) for source in taught for fault in (REPEATED, EARLIER))
    if repeated and sum(source.rows + source.held_out for source in taught) == 1:
        raise CorpusError(
            f"{taught[0].name}: one row is all that is left to learn from; {repeated:,} that repeat were left out",
            "give different sentences; `cogsym data audit` shows what is in a file",
        )


def _collect(
    recipe: Recipe,
    sources: Sequence[DataSource],
    role: Literal["target", "replay"],
    gatherer: Gatherer,
    parts: list[Part],
    draw: random.Random,
) -> tuple[array[int], list[DataInfo]]:
    """Put the examples of these sources behind `parts`; their numbers as often as they are drawn, and the facts."""
    numbers: array[int] = array("q")
    infos: list[DataInfo] = []
    for source in sources:
        first = sum(map(len, parts))
        part, info = gatherer.gather(source, role)
        parts.append(part)
        here = array("q", range(first, first + len(part)))
        numbers += here if source.weight == 1 else _draw(here, max(1, round(len(here) * source.weight)), draw)
        infos.append(info)
    if role == "target" and not any(recipe.language in info.languages for info in infos):
        raise RecipeError(
            f"none of the data is in {recipe.language}, the language to learn",
            "name its column and directions in `data:`",
        )
    return numbers, infos


def _draw(numbers: array[int], wanted: int, draw: random.Random) -> array[int]:
    """`wanted` examples: all of them as often as they fit, the rest at random without repetition."""
    whole, rest = divmod(wanted, len(numbers))
    return numbers * whole + array("q", draw.sample(numbers, rest))
