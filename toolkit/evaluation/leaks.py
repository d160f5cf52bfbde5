"""Whether a run was trained on sentences of a test set that its recipe did not name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.corpus import SentenceIndex
from toolkit.errors import CogsymError, EvaluationError
from toolkit.recipe import Recipe, read_recipe
from toolkit.run_folder import RunFolder
from toolkit.test_sets import TestSet, digest_of_sentences, sentences


@dataclass(frozen=True)
class Leak:
    """What the training data shares with one test set, or why that is not known."""

    rows: int  # of the training data
    words: str  # a sentence about the test set


def find_leaks(run: RunFolder, tests: Sequence[TestSet]) -> tuple[Leak | None, ...]:
    """For each test set, what this run's training data shares with it; None for nothing.

    Test sets of the run's own recipe were compared when it was trained, as long as they hold the same sentences. A run
    without its recipe, such as a downloaded delta, or without its data cannot be compared.
    """
    from toolkit.training.gathering import leaked_rows

    if not run.recipe.is_file():
        absent = "was not compared with the training data, which is not here"
        return tuple(Leak(0, f"{test.dataset} {absent}") for test in tests)
    recipe = read_recipe(run.recipe)
    wanted = [_to_compare(test, recipe, run) for test in tests]
    if not any(wanted):
        return (None,) * len(tests)
    tested = SentenceIndex()
    for index, texts in enumerate(wanted):
        for text in texts:
            tested.add(text, str(index))
    rows, first = [0] * len(tests), [""] * len(tests)
    missing = []
    for source in (*recipe.data, *recipe.replay):
        try:
            for place, found in leaked_rows(source, recipe, tested):
                for index in map(int, found):
                    rows[index] += 1
                    first[index] = first[index] or place
        except CogsymError:  # moved, deleted, or on a Hub that is out of reach now
            missing.append(source.where)
    absent = ", ".join(dict.fromkeys(missing))
    return tuple(
        Leak(count, f"{test.dataset} shares sentences with {count:,} rows of the training data (first: {place})")
        if count
        else Leak(0, f"{test.dataset} was not compared with training data that is not here: {absent}")
        if absent and held_out
        else None
        for count, place, held_out, test in zip(rows, first, wanted, tests, strict=True)
    )


def _to_compare(test: TestSet, recipe: Recipe, run: RunFolder) -> list[str]:
    """The sentences of a test set; none where they are those that were compared when the run was trained."""
    if test not in recipe.evaluation:
        return list(sentences(test))
    tests = run.read_training().tests if run.training_record.is_file() else ()
    if len(tests) != len(recipe.evaluation):  # an older record does not say what the file held then
        return []
    wanted = list(sentences(test))
    return [] if tests[recipe.evaluation.index(test)] == digest_of_sentences(wanted) else wanted


def refuse_leaks(leaks: Sequence[Leak | None]) -> None:
    """Raise if the training data shares a sentence with a test set.

    Raises:
        EvaluationError: naming the test set, and the first row of the training data.
    """
    for leak in leaks:
        if leak is not None and leak.rows:
            raise EvaluationError(
                f"the test set {leak.words}",
                "what was trained on cannot be tested on: give another test set, or pass --allow-leak, and every score "
                "will say so",
            )
