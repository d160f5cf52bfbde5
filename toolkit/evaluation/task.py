"""An evaluation task: what to ask, what is right, and the plain lm-eval YAML that anyone can run it from."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from toolkit.errors import EvaluationError
from toolkit.evaluation import lm_eval_rows
from toolkit.evaluation.metrics import Metric
from toolkit.languages import Direction


@dataclass(frozen=True)
class Task:
    """One test set in one direction.

    Every row has `prompt`, exactly as the model sees it, `source` and `reference`.
    """

    name: str  # unique in a run; the lm-eval task's name
    kind: Literal["translation"]
    dataset: str
    direction: Direction
    role: Literal["target", "known"]
    rows: tuple[dict[str, str], ...]
    fingerprint: str  # sha256 over the sentence pairs used
    dropped: dict[str, int]  # rows of the file left out by cleaning, by reason
    template: str
    shots: int
    seed: int
    stop: str
    max_new_tokens: int
    metrics: tuple[Metric, ...]
    lm_eval_metrics: tuple[str, ...] = field(default=())  # the same metrics under lm-eval's names

    @property
    def references(self) -> list[str]:
        return [row["reference"] for row in self.rows]


class _Function(str):
    """A reference that YAML writes as `!function module.name`."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Function, lambda dumper, value: dumper.represent_scalar("!function", str(value)))


def write_tasks(tasks: Iterable[Task], folder: Path) -> None:
    """Write each task as YAML with its rows, ready for `lm_eval --include_path FOLDER --tasks NAME`.

    Raises:
        EvaluationError: if two tasks have the same name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(lm_eval_rows.__file__, folder / "lm_eval_rows.py")
    names: set[str] = set()
    for task in tasks:
        if task.name in names:
            raise EvaluationError(
                f"two test sets are called '{task.dataset}' in direction {task.direction}",
                "give each a `name:` of its own in the recipe",
            )
        names.add(task.name)
        rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in task.rows)
        _write(folder / f"{task.name}.jsonl", rows)
        opening = (
            "# The numbers of the record, on the merged model; DTYPE and N are the record's dtype and batch_size:\n"
            "# lm_eval --model hf --model_args pretrained=MERGED,dtype=DTYPE --batch_size N --include_path . "
            f"--tasks {task.name}\n"
        )
        body = yaml.dump(_config(task), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
        _write(folder / f"{task.name}.yaml", opening + body)


def _config(task: Task) -> dict[str, Any]:
    """The task in lm-eval's own terms."""
    return {
        "task": task.name,
        "custom_dataset": _Function("lm_eval_rows.load"),
        "dataset_kwargs": {"file": f"{task.name}.jsonl"},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "prompt",  # worked examples are part of it, worded by the same template as in training
        "doc_to_target": "reference",
        "generation_kwargs": {"until": [task.stop], "max_gen_toks": task.max_new_tokens, "do_sample": False},
        "metric_list": [
            {"metric": name, "aggregation": name, "higher_is_better": True} for name in task.lm_eval_metrics
        ],
        "metadata": {"version": 1, "shots": task.shots, "seed": task.seed, "data_sha256": task.fingerprint},
    }


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(text, encoding="utf-8", newline="\n")
    os.replace(draft, path)
