"""The mean over tasks that ask the same rows in several ways, as a record of its own with its own interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from toolkit.evaluation.evaluated import BASE, Draws, Evaluated
from toolkit.evaluation.scoring import Measured, to_scores
from toolkit.records import EvaluationRecord


def complete_groups(tests: Sequence[Draws]) -> list[Draws]:
    """The groups of which every task is here, in their order."""
    groups: dict[str, list[Draws]] = {}
    for draws in tests:
        if draws[0].group is not None:
            groups.setdefault(draws[0].group.name, []).append(draws)
    return [
        tuple(draws[0] for draws in members)
        for members in groups.values()
        if (group := members[0][0].group) is not None and len(members) == group.size > 1
    ]


def measure_group(evaluated: Evaluated, model: str, members: Draws) -> dict[str, Measured]:
    """Each metric as the mean over the tasks; in every resample the same rows are drawn in all of them."""
    measured = evaluated.measured(model, members) or {}
    suffix = f"|mean of {len(members)}"
    return {name: replace(each, signature=each.signature + suffix) for name, each in measured.items()}


def measure_all(evaluated: Evaluated, model: str, tests: Sequence[Draws]) -> dict[tuple[str, str], Measured]:
    """Each metric on each test set that the model has answered, and on each group: by the record's task and metric."""
    found: dict[tuple[str, str], Measured] = {}
    for draws in tests:
        for name, measured in (evaluated.measured(model, draws) or {}).items():
            found[draws[0].test, name] = measured
    for members in complete_groups(tests):
        for name, measured in measure_group(evaluated, model, members).items():
            found[members[0].group.name, name] = measured  # type: ignore[union-attr]
    return found


def summarise(
    evaluated: Evaluated, model: str, members: Draws, others: Mapping[str, Mapping[str, Measured]] | None = None
) -> EvaluationRecord:
    """The group's record, written beside those of its tasks, which must be there.

    Args:
        others: what other runs measured on the same group.
    """
    records = [
        EvaluationRecord.read(evaluated.run.evaluation_records / f"{task.test}.{model}.json") for task in members
    ]
    group = members[0].group
    assert group is not None
    own = measure_group(evaluated, model, members)
    base = None if model == BASE else measure_group(evaluated, BASE, members)
    scores = to_scores(own, base, others)
    record = records[0].model_copy(
        update={
            "task": group.name,
            "dataset": group.dataset,
            "prompt": "; ".join(dict.fromkeys(record.prompt for record in records)),
            "prompts_sha256": tuple(digest for record in records for digest in record.prompts_sha256),
            "samples": tuple(name for record in records for name in record.samples),
            "seconds": round(sum(record.seconds for record in records), 3),
            "scores": tuple(score.model_copy(update={"draws": ()}) for score in scores),  # those are of examples
        }
    )
    record.write(evaluated.run.evaluation_records / f"{group.name}.{model}.json")
    return record
