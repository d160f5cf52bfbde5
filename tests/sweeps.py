"""Recipes that a sweep over a tiny base finishes in seconds, shared by the tests of the room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from training_runs import write_corpus

from toolkit.analysis import Sweep, Variation, plan_sweep, run_sweep
from toolkit.recipe import Recipe, make_recipe, write_recipe
from toolkit.selection import read_layout

STEPS = 4


def sweep_recipe(folder: Path, base: Path, **changes: Any) -> Recipe:
    """A recipe of four steps with a test set of four sentences in two directions."""
    folder.mkdir(parents=True, exist_ok=True)
    write_corpus(folder)
    rows = (folder / "test.tsv").read_text(encoding="utf-8").splitlines()
    (folder / "held-out.tsv").write_text("\n".join([rows[0], *rows[10:14]]) + "\n", encoding="utf-8")
    fields: dict[str, Any] = {
        "language": "jav",
        "base": str(base),
        "data": [{"path": str(folder / "train.tsv"), "directions": ["eng>jav", "jav>eng"], "limit": 40}],
        "evaluation": [
            {"path": str(folder / "held-out.tsv"), "directions": ["eng>jav", "jav>eng"], "max_new_tokens": 4}
        ],
        "prompt": "lines",
        "max_steps": STEPS,
        "batch_size": 4,
        "learning_rate": 1e-3,
        "warmup_share": 0.0,
        "checkpoint_steps": 2,
    }
    return make_recipe(fields | changes)


def recipe_file(recipe: Recipe, path: Path) -> Path:
    write_recipe(recipe, path, opening="cogsym sweep")
    return path


def planned(kind: Any, recipe: Recipe, **variation: Any) -> Sweep:
    return plan_sweep(kind, recipe, read_layout(Path(recipe.base)), Variation(**variation))


@pytest.fixture
def recipe(tiny_base: Path, tmp_path: Path) -> Recipe:
    return sweep_recipe(tmp_path / "data", tiny_base)


@pytest.fixture(scope="module")
def finished(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path]:
    """A small sweep over budgets, done; do not write into it."""
    folder = tmp_path_factory.mktemp("sweep")
    chosen = sweep_recipe(folder / "data", tiny_base)
    run_sweep(planned("budgets", chosen, select=("cogsym", "front"), budgets=("2",)), folder / "out")
    return chosen, folder / "out"
