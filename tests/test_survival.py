"""Runs that are killed, run out of memory or disk, or go astray: nothing is lost, and all of it is told."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import WORDS, make_tiny_base
from safetensors.torch import load_file

from toolkit.adaptation import prepare, reopen, train_delta
from toolkit.errors import CogsymError, MissingPartError, OutputError, RecipeError, TrainingError
from toolkit.recipe import Recipe, make_recipe
from toolkit.records import TrainingRecord
from toolkit.training import TrainingStep
from toolkit.training.metrics import append_metrics, keep_metrics_until, read_metrics
from toolkit.training.train import last_checkpoint

STEPS = 9


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base that draws random numbers in every forward pass."""
    folder = make_tiny_base(tmp_path_factory.mktemp("base") / "dropping", layers=3)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"attention_dropout": 0.3}))
    return folder


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "train.tsv"
    path.write_text("eng\tjav\n" + "".join(f"the {a} is near the {b}\t{b} cedhak {a}\n" for a in WORDS for b in WORDS))
    return path


def recipe(base: Path, rows: Path, **changes: Any) -> Recipe:
    fields: dict[str, Any] = {
        "language": "jav",
        "base": str(base),
        "select": "cogsym:2",
        "data": [{"path": str(rows), "directions": ["eng>jav", "jav>eng"], "limit": 40}],
        "prompt": "lines",
        "max_steps": STEPS,
        "batch_size": 4,
        "micro_batch_size": 2,
        "learning_rate": 1e-3,
        "checkpoint_steps": 2,
    }
    return make_recipe(fields | changes)


def run(chosen: Recipe, out: Path, **options: Any) -> TrainingRecord:
    plan = prepare(chosen, out, resume=options.get("resume", False))
    return train_delta(plan, **options)[0]


# Reads its recipe from a file, and dies at a given step: between steps, or with half of a checkpoint written.
DYING = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from toolkit.adaptation import prepare, train_delta
from toolkit.recipe import read_recipe
from toolkit.training import trainer

recipe, out, step, moment = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def report(now):
    if moment == "between" and now.step == step:
        die()

save_rng = trainer.PartialTrainer._save_rng_state
def cut(self, folder):
    if moment == "checkpoint" and self.state.global_step >= step:
        die()
    save_rng(self, folder)
trainer.PartialTrainer._save_rng_state = cut

if moment == "delta":
    from toolkit import adaptation
    adaptation.make_delta = lambda *_: die()
train_delta(prepare(read_recipe(recipe), out, resume=out.exists()), report=report, resume=out.exists())
"""


def die(chosen: Recipe, out: Path, step: int, moment: str) -> int:
    from toolkit.recipe import write_recipe

    write_recipe(chosen, out.with_suffix(".yaml"), opening="x")
    call = [sys.executable, "-c", DYING, out.with_suffix(".yaml"), out, str(step), moment]
    return subprocess.run(call, capture_output=True, timeout=200).returncode


def test_a_run_that_was_killed_again_and_again_ends_in_the_same_weights(base: Path, rows: Path, tmp_path: Path) -> None:
    chosen = recipe(base, rows)
    whole = run(chosen, tmp_path / "whole")
    chance = random.Random(0)
    steps = sorted(chance.sample(range(2, STEPS), 2))
    for step, moment in (*((step, "between") for step in steps), (steps[-1], "checkpoint"), (STEPS, "delta")):
        assert die(chosen, tmp_path / "killed", step, moment) == -signal.SIGKILL
    assert not (tmp_path / "killed" / "delta.safetensors").exists()
    record = run(chosen, tmp_path / "killed", resume=True)
    assert record.steps == STEPS
    assert record.final_loss == whole.final_loss
    deltas = [(tmp_path / name / "delta.safetensors").read_bytes() for name in ("whole", "killed")]
    assert deltas[0] == deltas[1]
    lines = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "killed")]
    assert [(line["step"], line["loss"]) for line in lines[0]] == [(line["step"], line["loss"]) for line in lines[1]]


def test_a_run_killed_before_its_delta_is_not_trained_again(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = recipe(base, rows, max_steps=2)
    assert die(chosen, tmp_path / "run", 0, "delta") == -signal.SIGKILL
    from toolkit.training import trainer

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(trainer.PartialTrainer, "train", never)
    assert run(chosen, tmp_path / "run", resume=True).steps == 2
    assert (tmp_path / "run" / "config.json").exists()


def test_a_finished_run_cannot_be_continued(base: Path, rows: Path, tmp_path: Path) -> None:
    run(recipe(base, rows, max_steps=1), tmp_path / "run")
    with pytest.raises(RecipeError, match="is finished"):
        reopen(tmp_path / "run")


def test_metrics_are_cut_back_to_the_checkpoint_and_survive_a_half_written_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for step in range(1, 6):
        append_metrics(path, {"step": step, "loss": 1.0})
    with path.open("a") as file:
        file.write('{"step": 6, "lo')
    keep_metrics_until(path, 3)
    append_metrics(path, {"step": 4, "loss": 0.5})
    assert [line["step"] for line in read_metrics(path)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), TrainingError, "out of memory at step 3"),
        (MemoryError(), TrainingError, "out of memory at step 3"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), TrainingError, "out of memory at step"),
        (OSError(28, "No space left on device"), OutputError, "No space left on device"),
        (RuntimeError("[enforce fail at inline_container.cc:668] . unexpected pos"), OutputError, "inline_container"),
        (RuntimeError("shapes do not match"), RuntimeError, "shapes do not match"),
    ],
)
def test_what_breaks_a_step_is_told_and_the_run_can_go_on(
    base: Path,
    rows: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    kind: type[Exception],
    message: str,
) -> None:
    from toolkit.training import trainer

    step = trainer.PartialTrainer.training_step

    def breaking(self: Any, *arguments: Any, **options: Any) -> Any:
        if self.state.global_step == 3:
            raise error
        return step(self, *arguments, **options)

    chosen = recipe(base, rows, max_steps=4)
    with monkeypatch.context() as patched:
        patched.setattr(trainer.PartialTrainer, "training_step", breaking)
        with pytest.raises(kind, match=message) as caught:
            run(chosen, tmp_path / "run")
    if isinstance(caught.value, CogsymError):
        assert caught.value.hint
    assert last_checkpoint(tmp_path / "run" / "checkpoints") == tmp_path / "run" / "checkpoints" / "checkpoint-2"
    assert run(chosen, tmp_path / "run", resume=True).steps == 4


def test_memory_that_runs_out_before_the_first_step_is_told(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.training import backends

    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(backends, "load_base", full)
    with pytest.raises(TrainingError, match="out of memory at step 0"):
        run(recipe(base, rows), tmp_path / "run")


LIMITED = """
import resource, sys
from pathlib import Path
from toolkit.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
main(["train", *sys.argv[3:]] if sys.argv[1] == "fresh" else ["train", "--resume", sys.argv[3]])
"""


@pytest.mark.parametrize("limit", [2_000, 60_000, 200_000], ids=["records", "weights", "optimizer"])
def test_a_disk_that_fills_up_is_told_wherever_it_does(base: Path, rows: Path, tmp_path: Path, limit: int) -> None:
    from toolkit.recipe import write_recipe

    chosen = recipe(base, rows, max_steps=3)
    write_recipe(chosen, tmp_path / "r.yaml", opening="x")
    out = tmp_path / "run"
    call = [sys.executable, "-c", LIMITED, "fresh", str(limit), "--recipe", tmp_path / "r.yaml", "--out", out]
    # The limit on the size of a file stands for the disk; the corpus itself must pass.
    done = subprocess.run(call, capture_output=True, text=True, timeout=200, env=os.environ | {"TMPDIR": str(tmp_path)})
    assert done.returncode == 1, done.stderr
    assert "error:" in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
    if out.exists():
        assert run(reopen(out), out, resume=True).steps == 3


def test_a_checkpoint_of_a_broken_state_is_never_written(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights break between two logged steps; the checkpoint that is due before the next one must not hold them."""
    from toolkit.training import trainer

    step = trainer.PartialTrainer.training_step

    def poisoned(self: Any, model: Any, *arguments: Any, **options: Any) -> Any:
        if self.state.global_step == 43:
            with torch.no_grad():
                next(p for p in model.parameters() if p.requires_grad).fill_(float("nan"))
        return step(self, model, *arguments, **options)

    monkeypatch.setattr(trainer.PartialTrainer, "training_step", poisoned)
    chosen = recipe(base, rows, max_steps=60, checkpoint_steps=11, micro_batch_size=4)
    with pytest.raises(TrainingError, match="the loss became nan at step 44"):
        run(chosen, tmp_path / "run")
    last = last_checkpoint(tmp_path / "run" / "checkpoints")
    assert last is not None
    assert last.name == "checkpoint-33"
    assert all(tensor.isfinite().all() for tensor in load_file(last / "trained.safetensors").values())


def test_a_gradient_that_is_not_finite_stops_the_run(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.training import trainer

    step = trainer.PartialTrainer.training_step

    def exploding(self: Any, model: Any, *arguments: Any, **options: Any) -> Any:
        loss = step(self, model, *arguments, **options)
        next(p for p in model.parameters() if p.requires_grad).grad.fill_(float("inf"))
        return loss

    monkeypatch.setattr(trainer.PartialTrainer, "training_step", exploding)
    with pytest.raises(TrainingError, match="the gradient's norm became"):
        run(recipe(base, rows), tmp_path / "run")


def test_the_best_weights_on_held_out_rows_are_kept(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.training import trainer

    step = trainer.PartialTrainer.training_step

    def worsening(self: Any, model: Any, *arguments: Any, **options: Any) -> Any:
        if self.state.global_step == 7:
            with torch.no_grad():
                next(p for p in model.parameters() if p.requires_grad).mul_(20)
        return step(self, model, *arguments, **options)

    monkeypatch.setattr(trainer.PartialTrainer, "training_step", worsening)
    source = [{"path": str(rows), "directions": ["eng>jav"], "limit": 60}]
    changes: dict[str, Any] = {"data": source, "held_out_share": 0.2, "max_steps": 8, "micro_batch_size": 4}
    best = run(recipe(base, rows, **changes, keep_best=True), tmp_path / "best")
    last = run(recipe(base, rows, **changes), tmp_path / "last")
    losses = [
        line["held_out_loss"] for line in read_metrics(tmp_path / "best" / "metrics.jsonl") if "held_out_loss" in line
    ]
    assert len(losses) == 4
    assert best.held_out_loss == min(losses)
    assert last.held_out_loss == losses[-1] > min(losses)
    assert best.data[0].held_out > 0
    assert (tmp_path / "best" / "figures" / "loss.png").stat().st_size > 10_000
    deltas = [(tmp_path / name / "delta.safetensors").read_bytes() for name in ("best", "last")]
    assert deltas[0] != deltas[1]


def test_keeping_the_best_needs_held_out_rows(base: Path, rows: Path) -> None:
    with pytest.raises(RecipeError, match="keep_best needs held_out_share"):
        recipe(base, rows, keep_best=True)


@pytest.fixture
def codecarbon(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A stand-in for codecarbon's offline tracker; the calls made to it."""
    calls: list[str] = []

    class Tracker:
        final_emissions_data = SimpleNamespace(energy_consumed=0.0012345, emissions=0.000586, country_name=None)

        def __init__(self, **options: Any) -> None:
            assert options["save_to_file"] is False

        def start(self) -> None:
            calls.append("start")

        def stop(self) -> None:
            calls.append("stop")

    module = ModuleType("codecarbon")
    module.OfflineEmissionsTracker = Tracker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "codecarbon", module)
    return calls


def test_energy_is_recorded_where_it_is_measured(base: Path, rows: Path, tmp_path: Path, codecarbon: list[str]) -> None:
    record = run(recipe(base, rows, max_steps=1), tmp_path / "run")
    assert (record.energy_kwh, record.emissions_grams, record.country) == (0.00123, None, None)
    assert codecarbon == ["start", "stop"]


@pytest.mark.usefixtures("codecarbon")
def test_emissions_are_recorded_where_the_country_is_known(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(energy_consumed=0.0012345, emissions=0.00083446, country_name="Indonesia")
    monkeypatch.setattr(sys.modules["codecarbon"].OfflineEmissionsTracker, "final_emissions_data", found)
    record = run(recipe(base, rows, max_steps=1), tmp_path / "run")
    assert (record.energy_kwh, record.emissions_grams, record.country) == (0.00123, 0.834, "Indonesia")


def test_energy_of_a_resumed_run_is_not_claimed(base: Path, rows: Path, tmp_path: Path, codecarbon: list[str]) -> None:
    def stop(step: TrainingStep) -> None:
        if step.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TrainingError, match="stopped at step 3"):
        run(recipe(base, rows), tmp_path / "run", report=stop)
    assert codecarbon == ["start", "stop"], "it is stopped with the run"
    assert run(recipe(base, rows), tmp_path / "run", resume=True).energy_kwh is None


def test_without_codecarbon_no_energy_is_recorded(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    assert run(recipe(base, rows, max_steps=1), tmp_path / "run").energy_kwh is None


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "trackio"])
def test_a_missing_reporter_is_named_before_training(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from toolkit.training import reporting

    monkeypatch.setattr(reporting, "find_spec", lambda _: None)
    with pytest.raises(MissingPartError, match=f"needs {name}, which is not installed") as caught:
        run(recipe(base, rows, report_to=[name]), tmp_path / "run")
    assert f"pip install {name}" in (caught.value.hint or "")


def test_tensorboard_s_files_outlive_the_checkpoints(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import TrainerCallback

    from toolkit.training import reporting, train

    places: list[Path] = []

    def callbacks(chosen: Recipe, folder: Path) -> list[Any]:
        places.append(folder)
        return [TrainerCallback()]

    monkeypatch.setattr(reporting, "find_spec", lambda _: object())
    monkeypatch.setattr(sys.modules[train.__module__], "tensorboard_callbacks", callbacks)
    run(recipe(base, rows, report_to=["tensorboard"], max_steps=1), tmp_path / "run")
    assert places == [tmp_path / "run" / "tensorboard"]
    assert reporting.trainer_reporters(recipe(base, rows, report_to=["tensorboard", "wandb"])) == ["wandb"]


def test_the_option_overrides_the_recipe(cogsym: Callable[..., Any], base: Path, rows: Path, tmp_path: Path) -> None:
    from toolkit.recipe import write_recipe

    write_recipe(recipe(base, rows), tmp_path / "r.yaml", opening="x")
    call = ("train", "--recipe", tmp_path / "r.yaml", "--out", tmp_path / "run", "--report-to", "clipboard")
    done = cogsym(*call)
    assert done.code == 1
    assert "report_to" in done.err
    assert "clipboard" in done.err
