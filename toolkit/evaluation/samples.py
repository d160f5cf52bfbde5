"""The samples behind a score: each row with the model's answer, from which every number can be computed again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.evaluation.task import Task

Answer = Mapping[str, Any]
"""What a model adds to a row: `hypothesis` and more, as the way of asking says."""


def write_samples(path: Path, task: Task, answers: Sequence[Answer]) -> None:
    """Write the task's rows, but for their prompts, with the model's answers; whole or not at all."""
    samples = [_shown(row) | dict(answer) for row, answer in zip(task.rows, answers, strict=True)]
    _write(path, _observed(samples, task))


def read_samples(path: Path, task: Task) -> list[dict[str, Any]] | None:
    """The samples in this file; None if it is not whole or is about other rows.

    What was observed otherwise than the task does now, such as by another language identifier, is brought up to date,
    in the file too.
    """
    try:
        with path.open(encoding="utf-8") as file:
            samples = [json.loads(line) for line in file]
        shown = [json.loads(json.dumps(_shown(row))) for row in task.rows]
        same = [{key: sample[key] for key in row} for sample, row in zip(samples, shown, strict=True)] == shown
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not same:
        return None
    observed = _observed(samples, task)
    if observed != samples:
        _write(path, observed)
    return observed


def _observed(samples: list[dict[str, Any]], task: Task) -> list[dict[str, Any]]:
    return samples if task.observe is None else [sample | task.observe(sample) for sample in samples]


def _write(path: Path, samples: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    with draft.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples)
    os.replace(draft, path)


_NOT_SHOWN = ("prompt", "identifier")


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its prompt, which is long and lies in the task's file, and without what may change afterwards."""
    return {key: value for key, value in row.items() if key not in _NOT_SHOWN}
