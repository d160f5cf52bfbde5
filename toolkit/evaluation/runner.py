"""Scores a base, and the same base with a delta reloaded from disk, on every task of a recipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.environment import package_versions
from toolkit.errors import CardError, EvaluationError
from toolkit.evaluation.bootstrap import paired_p_value, resample
from toolkit.evaluation.samples import read_hypotheses, write_samples
from toolkit.evaluation.task import Task, write_tasks
from toolkit.evaluation.translation import translation_tasks
from toolkit.recipe import Recipe, read_recipe
from toolkit.records import EvaluationRecord, Score
from toolkit.run_folder import RunFolder

if TYPE_CHECKING:
    from toolkit.evaluation.generation import Answerer

BASE, ADAPTED = "base", "adapted"
MODELS = (BASE, ADAPTED)  # in this order, because the second is compared with the first


@dataclass(frozen=True)
class EvaluationStep:
    """How far an evaluation has come."""

    model: str
    task: str
    direction: str
    sentences: int  # of all tasks that had to be answered now
    total_sentences: int


Report = Callable[[EvaluationStep], None]


class _Progress:
    """Counts sentences over all tasks."""

    def __init__(self, report: Report | None, total: int) -> None:
        self._report, self._total, self._done = report, total, 0

    def of(self, model: str, task: Task) -> Callable[[int], None]:
        """A counter for one task, which says at once that the task has begun."""

        def count(sentences: int) -> None:
            self._done += sentences
            if self._report:
                self._report(EvaluationStep(model, task.name, str(task.direction), self._done, self._total))

        count(0)
        return count


def evaluate(
    run: RunFolder,
    *,
    recipe: Recipe | None = None,
    base: str | Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    again: bool = False,
    reuse: RunFolder | None = None,
    report: Report | None = None,
) -> list[EvaluationRecord]:
    """Scores of base and base + delta on the recipe's test sets, written into the run as each task finishes.

    The base is loaded once; the delta is read from disk and laid over it. What an earlier, interrupted evaluation
    has finished is not computed again.

    Args:
        run: a trained run, or a downloaded delta together with a recipe.
        recipe: names the test sets, and serves for nothing else; default the recipe saved with the run.
        base: the base that the delta was made for; default the one that it names.
        limit: at most so many sentences per task, the first ones.
        seed: draws the worked examples of few-shot prompts.
        batch_size: sentences at a time; default as memory allows.
        again: compute everything anew.
        reuse: another run over the same base; what the base answered there is taken over where the task is the same.
        report: called after each batch.

    Returns:
        For each task the base's record and the adapted model's.

    Raises:
        EvaluationError, CorpusError: if a test set is missing or unusable.
        WrongBaseError: if the delta was made for another base.
    """
    from toolkit.pretrained import resolve_delta

    delta = resolve_delta(run.root)
    tasks = translation_tasks(_tests_for(delta, recipe), limit=limit, seed=seed)
    evaluation = _Evaluation(delta)
    write_tasks(tasks, run.tasks)
    if reuse is not None:
        evaluation.take_over_base(_Evaluation(resolve_delta(reuse.root)), tasks)
    missing = [
        (model, task) for model in MODELS for task in tasks if again or evaluation.hypotheses(model, task) is None
    ]
    if missing:
        evaluation.answer(missing, base, batch_size, report)
    return [evaluation.score(model, task) for task in tasks for model in MODELS]


class _Evaluation:
    """The records and samples of one run, read and written."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._config = run.read_config()

    def hypotheses(self, model: str, task: Task) -> list[str] | None:
        """What the model answered in an evaluation of the same facts; None if there was none."""
        try:
            record = EvaluationRecord.read(self._record_path(model, task))
        except CardError:  # none yet, or one that another version wrote
            return None
        decoding = record.decoding
        same = (
            record.data_fingerprint == task.fingerprint
            and record.example_prompt == task.rows[0]["prompt"]
            and (record.shots, record.seed, record.prompt) == (task.shots, task.seed, task.template)
            and (decoding.get("stop"), decoding.get("max_new_tokens")) == (task.stop, task.max_new_tokens)
            and record.base_fingerprint == self._config.base_fingerprint
            and record.delta_sha256 == self._delta_of(model)
        )
        return read_hypotheses(self._samples_path(model, task), task) if same else None

    def take_over_base(self, other: _Evaluation, tasks: Sequence[Task]) -> None:
        """Copy what another run's evaluation of the same base holds on these tasks and this one lacks.

        Raises:
            EvaluationError: if the other run stands on another base.
        """
        if other._config.base_fingerprint != self._config.base_fingerprint:
            raise EvaluationError(
                f"{other._run.root} and {self._run.root} stand on different bases",
                "evaluate this run by itself",
            )
        for task in tasks:
            hypotheses = other.hypotheses(BASE, task)
            if hypotheses is not None and self.hypotheses(BASE, task) is None:
                write_samples(self._samples_path(BASE, task), task, hypotheses)
                EvaluationRecord.read(other._record_path(BASE, task)).write(self._record_path(BASE, task))

    def answer(
        self,
        missing: Sequence[tuple[str, Task]],
        base: str | Path | None,
        batch_size: int | None,
        report: Report | None,
    ) -> None:
        """Let the models answer these tasks; write samples and records."""
        from toolkit.evaluation.generation import Answerer
        from toolkit.pretrained import base_of, load_base, resolve_base

        folder = base_of(self._run) if base is None else resolve_base(base)
        loaded, tokenizer = load_base(folder)
        adapted = self._adapter(loaded, folder)  # refuses another base before anything is computed
        answerer = Answerer(loaded, tokenizer, self._run.tasks, batch_size)
        for _, task in missing:
            answerer.check(task)
        progress = _Progress(report, sum(len(task.rows) for _, task in missing))
        for wanted in MODELS:
            with adapted() if wanted == ADAPTED else nullcontext():
                for model, task in missing:
                    if model == wanted:
                        self._answer_one(answerer, model, task, progress)

    def score(self, model: str, task: Task) -> EvaluationRecord:
        """The record with its scores; for the adapted model they are compared with the base's."""
        path = self._record_path(model, task)
        record = EvaluationRecord.read(path)
        scores = self._scores(model, task)
        if scores != record.scores:
            record = record.model_copy(update={"scores": scores})
            record.write(path)
        return record

    def _answer_one(self, answerer: Answerer, model: str, task: Task, progress: _Progress) -> None:
        start = time.perf_counter()
        hypotheses = answerer.answer(task, progress.of(model, task))
        write_samples(self._samples_path(model, task), task, hypotheses)
        record = EvaluationRecord(
            task=task.name,
            kind=task.kind,
            model=model,
            direction=str(task.direction),
            role=task.role,
            dataset=task.dataset,
            data_fingerprint=task.fingerprint,
            n=len(task.rows),
            dropped=task.dropped,
            shots=task.shots,
            seed=task.seed,
            prompt=task.template,
            example_prompt=task.rows[0]["prompt"],
            decoding=answerer.decoding(task),
            scores=self._scores(model, task),
            base_fingerprint=self._config.base_fingerprint,
            delta_sha256=self._delta_of(model),
            seconds=round(time.perf_counter() - start, 3),
            versions=package_versions(),
            samples=self._samples_path(model, task).name,
        )
        record.write(self._record_path(model, task))

    def _scores(self, model: str, task: Task) -> tuple[Score, ...]:
        answers = {name: read_hypotheses(self._samples_path(name, task), task) for name in (BASE, model)}
        scores = []
        for metric in task.metrics:
            resampled = {
                name: resample(metric, metric.statistics(hypotheses, task.references))
                for name, hypotheses in answers.items()
                if hypotheses is not None
            }
            own = resampled[model]
            low, high = own.interval
            p_value = paired_p_value(own, resampled[BASE]) if model != BASE and BASE in resampled else None
            scores.append(
                Score(
                    metric=metric.name,
                    value=own.value,
                    low=low,
                    high=high,
                    p_value=p_value,
                    signature=metric.signature,
                )
            )
        return tuple(scores)

    def _adapter(self, model: Any, base: Path) -> Callable[[], AbstractContextManager[Any]]:
        from toolkit.delta import LanguageSwitcher

        switcher = LanguageSwitcher(model, base)
        switcher.add(ADAPTED, self._run.root / self._config.delta_file)
        return lambda: switcher.use(ADAPTED)

    def _delta_of(self, model: str) -> str | None:
        return None if model == BASE else self._config.delta_sha256

    def _record_path(self, model: str, task: Task) -> Path:
        return self._run.evaluation_records / f"{task.name}.{model}.json"

    def _samples_path(self, model: str, task: Task) -> Path:
        return self._run.samples / f"{task.name}.{model}.jsonl"


def _tests_for(run: RunFolder, recipe: Recipe | None) -> Recipe:
    """The recipe that names the test sets, with the wording and the language that the delta was trained for."""
    if recipe is None:
        if not run.recipe.is_file():
            raise EvaluationError(
                f"{run.root} holds no recipe that names test sets",
                "give one with --recipe; only its `evaluation:` is used",
            )
        recipe = read_recipe(run.recipe)
    config = run.read_config()
    return recipe.model_copy(update={"prompt": config.prompt, "language": config.language})
