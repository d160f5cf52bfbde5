"""What has been evaluated of one run: its records and samples, read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.environment import package_versions
from toolkit.errors import CardError, EvaluationError
from toolkit.evaluation.comet.languages import is_supported
from toolkit.evaluation.loops import NOTED, looping_share
from toolkit.evaluation.metrics import MeanOfSamples, Sample
from toolkit.evaluation.samples import Answer, read_samples, write_samples
from toolkit.evaluation.scoring import Measured, measure, to_scores
from toolkit.evaluation.task import Task
from toolkit.languages import all_languages
from toolkit.records import EvaluationRecord
from toolkit.run_folder import RunFolder

BASE, ADAPTED = "base", "adapted"
MODELS = (BASE, ADAPTED)  # in this order, because the second is compared with the first
Draws = tuple[Task, ...]
"""One test set in one direction or language: a task for each draw of worked examples."""


class Evaluated:
    """One run's evaluation; a record is about all draws of a test set, samples are kept per draw."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.config = run.read_config()

    @property
    def name(self) -> str:
        """What other runs call this one."""
        return self.run.name

    def samples(self, model: str, task: Task) -> list[dict[str, Any]] | None:
        """What the model answered in an evaluation of the same facts; None if there was none."""
        record = self._record(model, task)
        if record is None or task.seed not in record.seeds:
            return None
        same = (
            record.prompts_sha256[record.seeds.index(task.seed)] == task.prompts_sha256
            and record.data_fingerprint == task.fingerprint
            and (record.shots, record.prompt) == (task.shots, task.wording)
            and record.base_fingerprint == self.config.base_fingerprint
            and record.delta_sha256 == self._delta_of(model)
        )
        return read_samples(self._samples_path(model, task), task) if same else None

    def draws_from(self, seed: int) -> int:
        """The most draws of worked examples, counted on from this seed, that any record is about."""
        found = [_read(path) for path in self.run.evaluation_records.glob("*.json")]
        return max((len(each.seeds) for each in found if each and each.seeds[:1] == (seed,)), default=0)

    def answered(self, draws: Draws) -> int:
        """How many of these draws, from the first one on, both models have answered."""
        lacking = (
            number for number, task in enumerate(draws) if any(self.samples(each, task) is None for each in MODELS)
        )
        return next(lacking, len(draws))

    def keep(self, model: str, draws: Draws, task: Task, answers: Sequence[Answer], facts: Mapping[str, Any]) -> None:
        """Write what the model answered to one draw, and the record of all draws that were answered so far.

        Args:
            facts: `decoding` and `seconds` of this draw.
        """
        answered = [each for each in draws if each is task or self.samples(model, each) is not None]
        earlier = self._record(model, task)
        seconds = earlier.seconds if earlier is not None and len(answered) > 1 else 0.0
        write_samples(self._samples_path(model, task), task, answers)
        first = draws[0]
        EvaluationRecord(
            task=task.test,
            kind=task.kind,
            model=model,
            direction=task.direction,
            role=task.role,
            dataset=task.dataset,
            data_fingerprint=task.fingerprint,
            n=len(task.rows),
            left_out=task.source.left_out,
            shots=task.shots,
            seeds=tuple(each.seed for each in answered),
            prompt=task.wording,
            example_prompt=first.rows[0]["prompt"],
            prompts_sha256=tuple(each.prompts_sha256 for each in answered),
            decoding=dict(facts["decoding"]),
            scores=(),
            base_fingerprint=self.config.base_fingerprint,
            delta_sha256=self._delta_of(model),
            seconds=round(seconds + facts["seconds"], 3),
            versions=package_versions(),
            samples=tuple(self._samples_path(model, each).name for each in answered),
        ).write(self._record_path(model, task))

    def take_over_base(self, other: Evaluated, tests: Sequence[Draws]) -> None:
        """Copy what another run's evaluation of the same base holds on these tasks and this one lacks.

        Raises:
            EvaluationError: if the other run stands on another base.
        """
        self.refuse_other_base(other)
        for draws in tests:
            theirs = [other.samples(BASE, task) for task in draws]
            if all(samples is not None for samples in theirs) and not self.has(BASE, draws):
                for task, samples in zip(draws, theirs, strict=True):
                    write_samples(self._samples_path(BASE, task), task, samples or [])
                record = EvaluationRecord.read(other._record_path(BASE, draws[0]))
                _about(record, draws).write(self._record_path(BASE, draws[0]))

    def refuse_other_base(self, other: Evaluated) -> None:
        """Raise unless both runs stand on the same base.

        Raises:
            EvaluationError: naming both.
        """
        if other.config.base_fingerprint != self.config.base_fingerprint:
            raise EvaluationError(
                f"{other.run.root} and {self.run.root} stand on different bases", "evaluate this run by itself"
            )

    def has(self, model: str, draws: Draws) -> bool:
        """Whether every draw was answered."""
        return all(self.samples(model, task) is not None for task in draws)

    def measured(self, model: str, draws: Draws) -> dict[str, Measured] | None:
        """Each metric over the model's samples; None where a draw was not answered."""
        samples = self._answers(model, draws)
        return None if samples is None else self._measured(model, draws, samples)

    def _measured(self, model: str, draws: Draws, whole: list[list[dict[str, Any]]]) -> dict[str, Measured]:
        judged = self._judged(model, draws[0])
        kept = [
            MeanOfSamples(name, signature, _caution(name, draws[0].direction))
            for name, signature in judged.items()
            if all(name in sample for each in whole for sample in each)
        ]
        return measure([*draws[0].metrics, *kept], whole)

    def judge(
        self,
        model: str,
        draws: Draws,
        name: str,
        of: str,
        score: Callable[[Sequence[Sample]], tuple[Sequence[float], str]],
    ) -> None:
        """Have another program judge each sample, unless it has; its values go into the samples.

        Args:
            name: of the metric.
            of: a part of the signature that tells which model judges, e.g. `model:Unbabel/wmt22-comet-da`.
            score: values of these samples, and the program's signature.
        """
        for task in draws:
            samples = self.samples(model, task)
            is_judged = of in self._judged(model, task).get(name, "").split("|")
            if samples is None or (is_judged and all(name in sample for sample in samples)):
                continue
            values, signature = score(samples)
            judged = [sample | {name: value} for sample, value in zip(samples, values, strict=True)]
            write_samples(self._samples_path(model, task), task, judged)
            record = EvaluationRecord.read(self._record_path(model, task))
            record.model_copy(update={"judged": record.judged | {name: signature}}).write(
                self._record_path(model, task)
            )

    def score(
        self, model: str, draws: Draws, others: Mapping[str, Mapping[str, Measured]] | None = None
    ) -> EvaluationRecord:
        """The record with its scores; the adapted model's are compared with the base's and with other runs'."""
        path = self._record_path(model, draws[0])
        record = EvaluationRecord.read(path)
        samples = self._answers(model, draws)
        own = {} if samples is None else self._measured(model, draws, samples)
        base = None if model == BASE else self.measured(BASE, draws)
        cautions = (draws[0].caution, _looping(model, draws, samples or []))
        scores = to_scores(own, base, others, caution="; ".join(filter(None, cautions)) or None)
        scored = (_about(record, draws) if own else record).model_copy(update={"scores": scores})
        if scored != record:
            scored.write(path)
        return scored

    def _answers(self, model: str, draws: Draws) -> list[list[dict[str, Any]]] | None:
        """The samples of each draw; None where one was not answered."""
        found = [self.samples(model, task) for task in draws]
        answered = [samples for samples in found if samples is not None]
        return answered if len(answered) == len(found) else None

    def _judged(self, model: str, task: Task) -> dict[str, str]:
        record = self._record(model, task)
        return {} if record is None else record.judged

    def _record(self, model: str, task: Task) -> EvaluationRecord | None:
        return _read(self._record_path(model, task))

    def _delta_of(self, model: str) -> str | None:
        return None if model == BASE else self.config.delta_sha256

    def _record_path(self, model: str, task: Task) -> Path:
        return self.run.evaluation_records / f"{task.test}.{model}.json"

    def _samples_path(self, model: str, task: Task) -> Path:
        return self.run.samples / f"{task.name}.{model}.jsonl"


def _read(path: Path) -> EvaluationRecord | None:
    try:
        return EvaluationRecord.read(path)
    except CardError:  # none yet, or one that another version wrote
        return None


def _about(record: EvaluationRecord, draws: Draws) -> EvaluationRecord:
    """The record of these draws alone, each of which it is about."""
    places = [record.seeds.index(task.seed) for task in draws]
    names = ("seeds", "prompts_sha256", "samples")
    return record.model_copy(update={name: tuple(getattr(record, name)[place] for place in places) for name in names})


def _looping(model: str, draws: Draws, answers: Sequence[Sequence[Sample]]) -> str | None:
    """That many of the model's answers end in a loop, where they do."""
    share = looping_share(sample["hypothesis"] for samples in answers for sample in samples if "hypothesis" in sample)
    if share < NOTED:
        return None
    about = f"{draws[0].dataset}, {draws[0].direction}"
    return f"{about}: {share:.0%} of the answers of the {model} model end in a loop of the same words"


def _caution(name: str, direction: str) -> str | None:
    """That COMET's encoder has never read a language of this direction, where it has not."""
    names = all_languages()
    unknown = [
        names[code].names.english if code in names else code for code in direction.split(">") if not is_supported(code)
    ]
    if not unknown:
        return None
    return f"{name} of {direction} is unreliable: its encoder was not trained on {' and '.join(unknown)}"
