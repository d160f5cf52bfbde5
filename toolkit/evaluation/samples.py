"""The samples behind a score: one row per sentence, from which every number can be computed again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from toolkit.evaluation.task import Task

# A sample: {"source": ..., "reference": ..., "hypothesis": ...}


def write_samples(path: Path, task: Task, hypotheses: Sequence[str]) -> None:
    """Write the task's sentences with what the model made of them, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    with draft.open("w", encoding="utf-8", newline="\n") as file:
        for row, hypothesis in zip(task.rows, hypotheses, strict=True):
            sample = {"source": row["source"], "reference": row["reference"], "hypothesis": hypothesis}
            file.write(json.dumps(sample, ensure_ascii=False) + "\n")
    os.replace(draft, path)


def read_hypotheses(path: Path, task: Task) -> list[str] | None:
    """What the model made of the task's sentences; None if the file is not whole or is about other sentences."""
    try:
        with path.open(encoding="utf-8") as file:
            samples = [json.loads(line) for line in file]
        pairs = [(sample["source"], sample["reference"]) for sample in samples]
        hypotheses = [str(sample["hypothesis"]) for sample in samples]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return hypotheses if pairs == [(row["source"], row["reference"]) for row in task.rows] else None
