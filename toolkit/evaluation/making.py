"""From the test sets of a recipe to tasks: one for each direction or language, and for each draw of examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import zip_longest

from toolkit.errors import EvaluationError
from toolkit.evaluation.choices import multiple_choice_task, sentiment_task
from toolkit.evaluation.consistency import consistency_task, scenarios
from toolkit.evaluation.drawing import Draw
from toolkit.evaluation.perplexity import perplexity_task
from toolkit.evaluation.task import Task
from toolkit.evaluation.translation import translation_task
from toolkit.evaluation.words import words_task
from toolkit.prompts import get_template
from toolkit.test_sets import (
    ConsistencySet,
    LikelihoodSet,
    MultipleChoiceSet,
    PerplexitySet,
    SentencePairs,
    SentimentSet,
    TestSet,
    TranslationSet,
    WordsSet,
)


def make_tasks(
    tests: Sequence[TestSet],
    language: str,
    prompt: str,
    *,
    only: Sequence[str] = (),
    limit: int | None = None,
    seed: int = 0,
    repeats: int = 1,
    cautions: Sequence[str | None] = (),
    identifier: str | None = None,
) -> list[tuple[Task, ...]]:
    """The test sets in their order; each direction or language once for every draw of worked examples.

    A test set without worked examples has one draw, because all would be the same.

    Args:
        language: ISO 639-3 code of the language that was learnt.
        prompt: name of the template that it was learnt with.
        only: kinds (`words`), or names of tasks, `*` for any text (`NusaX*`); default all.
        limit: at most so many rows of each, the first ones.
        seed: of the first draw; the others count on from it.
        cautions: for each test set, why not to rely on its scores, where there is a reason.
        identifier: names the model that identifies languages; default the one that is there.

    Raises:
        EvaluationError: if there is no test set, none is called so, or there are too few examples to draw from.
        CorpusError: if a file is missing, unreadable, or holds a row that cannot be scored.
    """
    if limit is not None and limit < 1:
        raise EvaluationError(f"limit {limit} leaves nothing to score", "give 1 or more, or leave it out")
    if repeats < 1:
        raise EvaluationError(f"{repeats} repeats measure nothing", "give 1 or more")
    if not tests:
        raise EvaluationError(
            "the recipe names no test set",
            "add one under `evaluation:` with `path` and `directions`, or give a --suite",
        )
    template = get_template(prompt)
    draws = [Draw(language, template, limit, seed + number, identifier) for number in range(repeats)]
    made, names = [], []
    for test_set, caution in zip_longest(tests, cautions):
        for direction in _directions(test_set, language):
            first = _task(test_set, direction, draws[0])
            names.append(first.test)
            if not only or any(pattern == first.kind or fnmatchcase(first.name, pattern) for pattern in only):
                further = draws[1:] if test_set.shots else []
                draws_of_it = (first, *(_task(test_set, direction, draw) for draw in further))
                made.append(tuple(replace(task, caution=caution) for task in draws_of_it))
    if not made:
        raise EvaluationError(
            f"no task here is called {' or '.join(only)}", f"there are {', '.join(names)}; or name a kind, as in words"
        )
    return made


def _directions(test_set: TestSet, learned: str) -> tuple[str, ...]:
    if isinstance(test_set, ConsistencySet):
        return scenarios(test_set, learned)
    return test_set.directions if isinstance(test_set, SentencePairs | WordsSet) else ("",)


def _task(test_set: TestSet, direction: str, draw: Draw) -> Task:
    match test_set:
        case TranslationSet() | LikelihoodSet():
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
