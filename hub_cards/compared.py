"""Takes the scores of a full fine-tune over into a run, so that its card shows them beside its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from hub_cards.collect import FULL, same_data, task_of
from hub_cards.facts import ADAPTED
from toolkit.errors import CardError
from toolkit.records import EvaluationRecord
from toolkit.run_folder import RunFolder


def take_over_full(run: RunFolder, full: RunFolder) -> list[Path]:
    """Copy the evaluation of a run that trained every weight, and how it was trained, into this run's records.

    The card is made from records alone, so what it compares with has to be among them, and is published with them.

    Args:
        run: gets the records.
        full: trained with `select: full` on the same base and data, and evaluated on the same tests.

    Returns:
        The files written.

    Raises:
        CardError: if the two cannot be compared; nothing is written then.
    """
    _refuse_another(run, full)
    measured = {task_of(record) for record in run.read_evaluations() if record.model == ADAPTED}
    found = [record for record in full.read_evaluations() if record.model == ADAPTED and task_of(record) in measured]
    if not found:
        raise CardError(
            f"{full.root.name} was evaluated on none of the tests of {run.root.name}",
            "evaluate both with the same recipe, limit and seed: `cogsym evaluate RUN --recipe RECIPE`",
        )
    return [*(_copy(record, run, full) for record in found), full.read_training().write(run.full_training_record)]


def _refuse_another(run: RunFolder, full: RunFolder) -> None:
    ours, theirs = run.read_config(), full.read_config()
    if theirs.selection.method != "full":
        raise CardError(
            f"{full.root.name} trained {theirs.selection.method}, not every weight", "train it with --select full"
        )
    if theirs.base_fingerprint != ours.base_fingerprint or theirs.language != ours.language:
        raise CardError(
            f"{full.root.name} is about {theirs.language} on {theirs.base.id}, "
            f"{run.root.name} about {ours.language} on {ours.base.id}",
            "compare runs of one language over the same base",
        )
    if not same_data(run.read_training(), full.read_training()):
        raise CardError(
            f"{full.root.name} was trained on other rows than {run.root.name}",
            "a difference in scores would be one of data too: train both with the same `data` and `replay`",
        )


def _copy(record: EvaluationRecord, run: RunFolder, full: RunFolder) -> Path:
    samples = []
    for name in record.samples:
        source = full.samples / Path(name).name
        if not source.is_file():
            raise CardError(f"the samples {source.name} of {full.root.name} are missing", "evaluate it again")
        run.samples.mkdir(parents=True, exist_ok=True)
        samples.append(f"{source.name.removesuffix('.jsonl').removesuffix(f'.{ADAPTED}')}.{FULL}.jsonl")
        shutil.copyfile(source, run.samples / samples[-1])
    path = run.evaluation_records / f"{record.task}.{FULL}.json"
    return record.model_copy(update={"model": FULL, "samples": tuple(samples)}).write(path)
