"""Translation tasks: each test set of a recipe in each of its directions."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

from toolkit.corpus import Rows, read_pairs
from toolkit.errors import CorpusError, EvaluationError
from toolkit.evaluation.metrics import translation_metrics
from toolkit.evaluation.task import Task
from toolkit.languages import Direction, get_language, parse_direction
from toolkit.prompts import get_template
from toolkit.recipe import Recipe, TestSet


def translation_tasks(recipe: Recipe, *, limit: int | None = None, seed: int = 0) -> list[Task]:
    """The recipe's test sets, one task per direction, in the recipe's order.

    Args:
        limit: at most so many sentences of each, the first ones.
        seed: draws the worked examples; the same ones stand before every sentence of a task.

    Raises:
        EvaluationError: if there is no test set, or too few examples to draw from.
        CorpusError: if a file is missing, unreadable, or lacks a column.
    """
    if limit is not None and limit < 1:
        raise EvaluationError(f"limit {limit} leaves no sentence to score", "give 1 or more, or leave it out")
    if not recipe.evaluation:
        raise EvaluationError(
            "the recipe names no test set", "add one under `evaluation:` with `path` and `directions`"
        )
    return [
        _task(recipe, test_set, parse_direction(direction), limit, seed)
        for test_set in recipe.evaluation
        for direction in test_set.directions
    ]


def _task(recipe: Recipe, test_set: TestSet, direction: Direction, limit: int | None, seed: int) -> Task:
    source, target = get_language(direction.source), get_language(direction.target)
    pairs = _read(test_set.path, test_set, direction)
    limits = [each for each in (limit, test_set.limit) if each is not None]
    used = Rows(pairs.name, pairs.keys, pairs.rows[: min(limits)] if limits else pairs.rows, pairs.dropped)
    shots = _shots(test_set, direction, pairs, seed)
    template = get_template(recipe.prompt)
    dataset = test_set.name or Path(test_set.path).stem
    return Task(
        name="_".join((_slug(dataset), direction.source, direction.target)),
        kind="translation",
        dataset=dataset,
        direction=direction,
        role="target" if recipe.language in (direction.source, direction.target) else "known",
        rows=tuple(
            {
                "prompt": template.translate(row[direction.source], source, target, shots),
                "source": row[direction.source],
                "reference": row[direction.target],
            }
            for row in used.rows
        ),
        fingerprint=used.fingerprint,
        dropped=pairs.dropped,
        template=template.name,
        shots=test_set.shots,
        seed=seed,
        stop=template.stop,
        max_new_tokens=test_set.max_new_tokens,
        metrics=tuple(translation_metrics()),
        lm_eval_metrics=("chrf++", "bleu"),
    )


def _read(path: str, test_set: TestSet, direction: Direction) -> Rows:
    try:
        return read_pairs(Path(path), (direction.source, direction.target), test_set.columns)
    except CorpusError as error:
        raise CorpusError(f"test set for {direction}: {error.message}", error.hint) from error


def _shots(test_set: TestSet, direction: Direction, tested: Rows, seed: int) -> Sequence[tuple[str, str]]:
    """Worked examples, none of which shows a sentence of the test set."""
    if not test_set.shots or not test_set.shots_path:
        return ()
    held_out = {text for row in tested.rows for text in row.values()}
    pool = [row for row in _read(test_set.shots_path, test_set, direction).rows if held_out.isdisjoint(row.values())]
    if len(pool) < test_set.shots:
        raise EvaluationError(
            f"{Path(test_set.shots_path).name} holds {len(pool)} pairs outside the test set, "
            f"but {test_set.shots} examples are asked for",
            "give another shots_path, or fewer shots",
        )
    drawn = random.Random(seed).sample(pool, test_set.shots)
    return [(row[direction.source], row[direction.target]) for row in drawn]


def _slug(name: str) -> str:
    """A task name that lm-eval takes: no commas, wildcards or spaces."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-") or "test"
