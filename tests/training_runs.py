"""Short training runs on tiny bases, shared by the tests of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from conftest import WORDS
from safetensors.torch import load_file

from toolkit.delta.checkpoint import read_base_info
from toolkit.recipe import Recipe, make_recipe
from toolkit.records import SelectionInfo, TrainingRecord
from toolkit.run_folder import RunFolder
from toolkit.selection import read_layout, resolve_selection
from toolkit.training import mix, train

ROWS = [(f"the {a} is near the {b}", f"{b} cedhak {a}") for a in WORDS for b in WORDS]


def write_rows(path: Path, rows: list[tuple[str, str]], header: str = "eng\tjav") -> Path:
    path.write_text(header + "\n" + "".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    return path


def write_corpus(folder: Path) -> Path:
    """train.tsv (eng, jav), known.tsv (eng, ind), and test.tsv, which shares five rows with the first."""
    write_rows(folder / "train.tsv", ROWS[:100])
    write_rows(folder / "known.tsv", [(a, a.replace("the", "si")) for a, _ in ROWS[100:150]], "eng\tind")
    write_rows(folder / "test.tsv", ROWS[95:120])
    return folder


def recipe(corpus: Path, base: Path, **changes: Any) -> Recipe:
    fields: dict[str, Any] = {
        "language": "jav",
        "base": str(base),
        "data": [{"path": str(corpus / "train.tsv"), "directions": ["eng>jav", "jav>eng"]}],
        "prompt": "lines",
        "max_steps": 6,
        "batch_size": 4,
        "learning_rate": 1e-3,
        "checkpoint_steps": 2,
    }
    return make_recipe(fields | changes)


def run(chosen: Recipe, out: Path, selection: SelectionInfo | None = None, **options: Any) -> TrainingRecord:
    """Train by this recipe, on its own selection unless another is given."""
    base = Path(chosen.base)
    selection = selection or resolve_selection(
        chosen.select, read_layout(base), embeddings=chosen.embeddings, head=chosen.head
    )
    return train(chosen, mix(chosen), base, read_base_info(base, "tiny"), selection, RunFolder(out), **options)


def trained_of(run: Path) -> dict[str, torch.Tensor]:
    """All tensors that a run has saved as trained."""
    return {name: tensor for path in (run / "trained").iterdir() for name, tensor in load_file(path).items()}
