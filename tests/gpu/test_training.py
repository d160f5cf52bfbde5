"""Every way to train on a graphics card: each gives a delta, in the time and memory that it promises."""

from __future__ import annotations

import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))
import training_speed
from conftest import make_tiny_base
from training_runs import recipe, write_corpus

from toolkit.adaptation import prepare, train_delta
from toolkit.delta import verify
from toolkit.recipe import write_recipe
from toolkit.run_folder import RunFolder


@pytest.fixture(autouse=True)
def _card() -> None:
    assert torch.cuda.is_available(), "tests/gpu needs an NVIDIA card"


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "lora"},
        {"order": "front_then_rear"},
        {"order": "rear_then_front", "frozen": "4bit", "optimizer": "adamw_8bit"},
        {"frozen": "4bit"},
        {"frozen": "4bit", "method": "lora"},
        {"gradient_checkpointing": True, "select": "rear:1"},
        {"backend": "transformers"},
    ],
    ids=str,
)
def test_every_way_to_train_gives_a_delta_that_verifies(tmp_path: Path, changes: dict[str, Any]) -> None:
    base = make_tiny_base(tmp_path / "base", width=64, inner=128)
    (tmp_path / "data").mkdir()
    chosen = recipe(write_corpus(tmp_path / "data"), base, **({"select": "cogsym:2", "max_steps": 10} | changes))
    plan = prepare(chosen, tmp_path / "run")
    training, _ = train_delta(plan)
    assert training.final_loss < training.first_loss
    assert verify(plan.run.delta, base, full=True)


def test_unsloth_trains_the_same_selection(tmp_path: Path) -> None:
    """In a process each: from its import on, unsloth stands in transformers' Trainer for whatever trains after it."""
    assert find_spec("unsloth"), "this test needs unsloth: pip install 'cogsym-toolkit[unsloth]'"
    base = make_tiny_base(tmp_path / "base", width=64, inner=128)
    (tmp_path / "data").mkdir()
    corpus = write_corpus(tmp_path / "data")
    names = {}
    for backend in ("unsloth", "transformers"):
        run = RunFolder(tmp_path / backend)
        write_recipe(
            recipe(corpus, base, select="cogsym:2", max_steps=10), tmp_path / "recipe.yaml", opening="cogsym train"
        )
        command = ["train", "--recipe", str(tmp_path / "recipe.yaml"), "--out", str(run.root), "--backend", backend]
        subprocess.run([sys.executable, "-m", "toolkit", *command], check=True)
        training = run.read_training()
        assert training.backend == backend
        assert training.final_loss < training.first_loss
        assert verify(run.delta, base, full=True)
        names[backend] = {tensor.name for tensor in run.read_delta_info().tensors}
    assert names["unsloth"] == names["transformers"]


@pytest.mark.timeout(600)
def test_llama_2_7b_trains_in_the_time_and_memory_that_the_method_promises() -> None:
    points = training_speed.main()["points"]
    short = {point["way"] for point in points if "out_of_memory" in point}
    assert not short, f"this card has too little memory for {', '.join(sorted(short))}; the others are measured"

    def of(name: str, what: str) -> float:
        return statistics.median(point[what] for point in points if point["way"] == name)

    def held(name: str) -> float:
        return of(name, "peak_bytes") - of(name, "weights_bytes")  # gradients, optimiser, activations

    assert of("cogsym:25%", "tokens_per_second") >= 1.3 * of("full", "tokens_per_second")
    assert of("cogsym:25%", "step_seconds") <= 1.02 * of(training_speed.PLAIN, "step_seconds")
    assert of("cogsym:25%", "peak_bytes") <= 0.55 * of("full", "peak_bytes")
    assert of("cogsym:25%", "peak_bytes") <= 24e9
    assert of(training_speed.SMALLEST, "peak_bytes") <= 16e9
    assert held("cogsym:25%, front alone") < held("cogsym:25%") < held("full")
