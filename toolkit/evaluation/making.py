"""From the test sets of a recipe to tasks: one for each direction or language, and for each draw of examples."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from toolkit.errors import EvaluationError
from toolkit.evaluation.choices import multiple_choice_task, sentiment_task
from toolkit.evaluation.consistency import consistency_task, scenarios
from toolkit.evaluation.drawing import Draw
from toolkit.evaluation.perplexity import perplexity_task
from toolkit.evaluation.task import Task
from toolkit.evaluation.translation import translation_task
from toolkit.evaluation.words import words_task
from toolkit.prompts import get_template
from toolkit.recipe import Recipe
from toolkit.test_sets import (
    ConsistencySet,
    MultipleChoiceSet,
    PerplexitySet,
    SentimentSet,
    TestSet,
    TranslationSet,
    WordsSet,
)


def make_tasks(
    recipe: Recipe,
    *,
    only: Sequence[str] = (),
    limit: int | None = None,
    seed: int = 0,
    repeats: int = 1,
    identifier: str | None = None,
) -> list[tuple[Task, ...]]:
    """The recipe's test sets in its order; each direction or language once for every draw of worked examples.

    A test set without worked examples has one draw, because all would be the same.

    Args:
        only: kinds (`words`), or names of tasks, `*` for any text (`NusaX*`); default all.
        limit: at most so many rows of each, the first ones.
        seed: of the first draw; the others count on from it.
        identifier: names the model that identifies languages; default the one that is there.

    Raises:
        EvaluationError: if there is no test set, none is called so, or there are too few examples to draw from.
        CorpusError: if a file is missing, unreadable, or holds a row that cannot be scored.
    """
    if limit is not None and limit < 1:
        raise EvaluationError(f"limit {limit} leaves nothing to score", "give 1 or more, or leave it out")
    if repeats < 1:
        raise EvaluationError(f"{repeats} repeats measure nothing", "give 1 or more")
    if not recipe.evaluation:
        raise EvaluationError(
            "the recipe names no test set", "add one under `evaluation:` with `path` and `directions`"
        )
    template = get_template(recipe.prompt)
    draws = [Draw(recipe.language, template, limit, seed + number, identifier) for number in range(repeats)]
    made = []
    for test_set in recipe.evaluation:
        for direction in _directions(test_set, recipe.language):
            first = _task(test_set, direction, draws[0])
            if not only or any(pattern == first.kind or fnmatchcase(first.name, pattern) for pattern in only):
                further = draws[1:] if test_set.shots else []
                made.append((first, *(_task(test_set, direction, draw) for draw in further)))
    if not made:
        raise EvaluationError(
            f"no task of this recipe is called {' or '.join(only)}", "`--tasks` takes kinds and names of tasks"
        )
    return made


def _directions(test_set: TestSet, learned: str) -> tuple[str, ...]:
    if isinstance(test_set, ConsistencySet):
        return scenarios(test_set, learned)
    return test_set.directions if isinstance(test_set, TranslationSet | WordsSet) else ("",)


def _task(test_set: TestSet, direction: str, draw: Draw) -> Task:
    match test_set:
        case TranslationSet():
            return translation_task(test_set, direction, draw)
        case WordsSet():
            return words_task(test_set, direction, draw)
        case SentimentSet():
            return sentiment_task(test_set, draw)
        case MultipleChoiceSet():
            return multiple_choice_task(test_set, draw)
        case ConsistencySet():
            return consistency_task(test_set, direction, draw)
        case PerplexitySet():
            return perplexity_task(test_set, draw)
