"""Scores a base, and the same base with a delta reloaded from disk, on every task of its test sets."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import EvaluationError
from toolkit.evaluation.evaluated import ADAPTED, BASE, MODELS, Draws, Evaluated
from toolkit.evaluation.judging import JudgingReport, judge_by_comet
from toolkit.evaluation.leaks import find_leaks, refuse_leaks
from toolkit.evaluation.making import make_tasks
from toolkit.evaluation.summary import complete_groups, measure_group, summarise
from toolkit.evaluation.task import Task, write_tasks
from toolkit.recipe import read_recipe
from toolkit.records import EvaluationRecord
from toolkit.run_folder import RunFolder
from toolkit.test_sets import TestSet

if TYPE_CHECKING:
    from toolkit.delta import LanguageSwitcher


@dataclass(frozen=True)
class EvaluationStep:
    """How far an evaluation has come."""

    model: str
    task: str
    direction: str
    sentences: int  # of all tasks that had to be answered now
    total_sentences: int


Report = Callable[[EvaluationStep], None]


def evaluate(
    run: RunFolder,
    *,
    tests: Sequence[TestSet] | None = None,
    base: str | Path | None = None,
    tasks: Sequence[str] = (),
    limit: int | None = None,
    seed: int = 0,
    repeats: int = 1,
    against: Sequence[RunFolder] = (),
    allow_leak: bool = False,
    comet: str | None = None,
    batch_size: int | None = None,
    again: bool = False,
    reuse: RunFolder | None = None,
    identifier: str | None = None,
    report: Report | None = None,
    report_judging: JudgingReport | None = None,
) -> list[EvaluationRecord]:
    """Scores of base and base + delta on the test sets, written into the run as each task finishes.

    The base is loaded once; deltas are read from disk and laid over it in turn. What an earlier, interrupted
    evaluation has finished is not computed again.

    Args:
        run: a trained run, or a downloaded delta together with test sets.
        tests: default those of the recipe saved with the run.
        base: the base that the delta was made for; default the one that it names.
        tasks: kinds, or names of tasks with `*` for any text; default all.
        limit: at most so many rows per task, the first ones.
        seed: draws the worked examples of few-shot prompts.
        repeats: how many draws of worked examples a score is the mean of, at least: what was answered before in
            further draws of the same seed counts too.
        against: other runs over the same base, evaluated on the same test sets and compared with this one; their
            records are written into their own folders.
        allow_leak: score test sets although the run was trained on sentences of them; their scores say so.
        comet: COMET model that judges the translations: Hub id, folder or `.ckpt` file; None for no COMET.
        batch_size: sentences at a time; default as memory allows.
        again: compute everything anew.
        reuse: another run over the same base; what the base answered there is taken over where the task is the same.
        identifier: fastText model that tells the language of answers, or `lid.176`; default the one that is there.
        report: called after each batch.
        report_judging: called while COMET is at work.

    Returns:
        For each test set and direction the base's record and the adapted model's; then those of means over tasks.

    Raises:
        EvaluationError, CorpusError: if a test set is missing, unusable, or was trained on; or COMET is missing, and
            then all other scores are written.
        WrongBaseError: if a delta was made for another base.
    """
    from toolkit.pretrained import resolve_delta

    evaluations = [Evaluated(resolve_delta(each.root)) for each in (run, *against)]
    _refuse_confusion(evaluations)
    own = evaluations[0]
    tests = _tests_of(own.run) if tests is None else tests
    planned = []
    made_before = max(evaluated.draws_from(seed) for evaluated in evaluations)
    for evaluated in evaluations:  # each asked in the wording that it was trained with
        language, prompt = evaluated.config.language, evaluated.config.prompt
        leaks = find_leaks(evaluated.run, tests)
        if not allow_leak:
            refuse_leaks(leaks)
        planned.append(
            make_tasks(
                tests,
                language,
                prompt,
                only=tasks,
                limit=limit,
                seed=seed,
                repeats=max(repeats, made_before),
                identifier=identifier,
                cautions=[leak.words if leak else None for leak in leaks],
            )
        )
    planned = _without_what_nobody_asked_for(evaluations, planned, repeats)
    for evaluated, made in zip(evaluations, planned, strict=True):
        write_tasks((task for draws in made for task in draws), evaluated.run.tasks)
    if reuse is not None:
        own.take_over_base(Evaluated(resolve_delta(reuse.root)), planned[0])
    models = _Models(own, base, batch_size, report)
    for evaluated, made in zip(evaluations, planned, strict=True):
        if evaluated is not own and not again:
            evaluated.take_over_base(own, made)
        models.answer(evaluated, made, again=again)
    everything = list(zip(evaluations, planned, strict=True))
    records = _score_all(everything)
    if comet is not None:
        models.let_go()  # COMET is a process of its own, for which the card must be free
        judge_by_comet(everything, comet, report_judging)
        records = _score_all(everything)
    return records


def _without_what_nobody_asked_for(
    evaluations: Sequence[Evaluated], planned: Sequence[Sequence[Draws]], repeats: int
) -> list[list[Draws]]:
    """The first `repeats` draws, and further ones that a run has answered already; as many for all, to be compared."""
    kept: list[list[Draws]] = [[] for _ in evaluations]
    for tests in zip(*planned, strict=True):  # one test set, as each run is asked
        count = max(repeats, *(each.answered(draws) for each, draws in zip(evaluations, tests, strict=True)))
        for mine, draws in zip(kept, tests, strict=True):
            mine.append(draws[:count])
    return kept


def _score_all(everything: Sequence[tuple[Evaluated, Sequence[Draws]]]) -> list[EvaluationRecord]:
    """Score other runs, then the first one, which is compared with them; the records of the first."""
    (own, tests), *others = everything
    for evaluated, made in others:
        _score(evaluated, made, [])
    return _score(own, tests, others)


def _score(
    evaluated: Evaluated, tests: Sequence[Draws], others: Sequence[tuple[Evaluated, Sequence[Draws]]]
) -> list[EvaluationRecord]:
    records = []
    for index, draws in enumerate(tests):
        records.append(evaluated.score(BASE, draws))
        measured = {other.name: other.measured(ADAPTED, theirs[index]) or {} for other, theirs in others}
        records.append(evaluated.score(ADAPTED, draws, measured))
    groups = [(other, complete_groups(theirs)) for other, theirs in others]
    for index, members in enumerate(complete_groups(tests)):
        records.append(summarise(evaluated, BASE, members))
        means = {other.name: measure_group(other, ADAPTED, theirs[index]) for other, theirs in groups}
        records.append(summarise(evaluated, ADAPTED, members, means))
    return records


class _Models:
    """One base in memory, loaded when it is first needed, which becomes each adapted model in turn."""

    def __init__(
        self, first: Evaluated, base: str | Path | None, batch_size: int | None, report: Report | None
    ) -> None:
        self._first, self._base, self._batch_size, self._report = first, base, batch_size, report
        self._loaded: tuple[Any, Any, LanguageSwitcher] | None = None

    def answer(self, evaluated: Evaluated, tests: Sequence[Draws], *, again: bool) -> None:
        """Let base and adapted model answer what this evaluation lacks; each task's record is written as it ends."""
        missing = [
            (model, draws, task)
            for model in MODELS
            for draws in tests
            for task in draws
            if again or evaluated.samples(model, task) is None
        ]
        if not missing:
            return
        from toolkit.evaluation.answering import Answerer

        model, tokenizer, switcher = self._load()
        key = str(evaluated.run.root)
        switcher.add(key, evaluated.run.root / evaluated.config.delta_file)  # refuses another base
        answerer = Answerer(model, tokenizer, evaluated.run.tasks, self._batch_size)
        for _, _, task in missing:  # whatever is wrong shows before anything is computed
            answerer.check(task)
        progress = _Progress(self._report, sum(len(task.rows) for *_, task in missing))
        for name, draws, task in missing:
            with switcher.use(None if name == BASE else key):
                start = time.perf_counter()
                answers = answerer.answer(task, progress.of(name, task))
                facts = {"decoding": answerer.decoding(task), "seconds": time.perf_counter() - start}
                evaluated.keep(name, draws, task, answers, facts)
            if task is draws[-1]:  # now, so that an interrupted evaluation leaves scores of what it finished
                evaluated.score(name, draws)

    def _load(self) -> tuple[Any, Any, LanguageSwitcher]:
        if self._loaded is None:
            from toolkit.delta import LanguageSwitcher
            from toolkit.pretrained import base_of, load_base, resolve_base

            folder = base_of(self._first.run) if self._base is None else resolve_base(self._base)
            model, tokenizer = load_base(folder)
            self._loaded = model, tokenizer, LanguageSwitcher(model, folder)
        return self._loaded

    def let_go(self) -> None:
        """Free the base, and the memory of the card that torch keeps for more of the same."""
        if self._loaded is None:
            return
        from toolkit.freeing import free_memory

        self._loaded = None
        free_memory()


class _Progress:
    """Counts sentences over all tasks."""

    def __init__(self, report: Report | None, total: int) -> None:
        self._report, self._total, self._done = report, total, 0

    def of(self, model: str, task: Task) -> Callable[[int], None]:
        """A counter for one task, which says at once that the task has begun."""

        def count(sentences: int) -> None:
            self._done += sentences
            if self._report:
                self._report(EvaluationStep(model, task.name, task.direction, self._done, self._total))

        count(0)
        return count


def _refuse_confusion(evaluations: Sequence[Evaluated]) -> None:
    """Raise where runs could not be told apart by their names, or stand on different bases.

    Raises:
        EvaluationError: naming them.
    """
    names = [evaluated.name for evaluated in evaluations]
    if len(set(names)) < len(names):
        raise EvaluationError(f"two runs are called '{max(names, key=names.count)}'", "rename the folder of one")
    for other in evaluations[1:]:
        other.refuse_other_base(evaluations[0])


def _tests_of(run: RunFolder) -> Sequence[TestSet]:
    """The test sets of the recipe saved with the run."""
    if not run.recipe.is_file():
        raise EvaluationError(
            f"{run.root} holds no recipe that names test sets",
            "name them with --recipe FILE, of which only `evaluation:` is used, or with --suite",
        )
    return read_recipe(run.recipe).evaluation
