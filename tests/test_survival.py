"""Runs that are killed, run out of memory or disk, or go astray: nothing is lost, and all of it is told."""

from __future__ import annotations

import json
import os
import random
import shutil
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
from safetensors.torch import load_file, save_file

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


def stop_at(step: int) -> Callable[[TrainingStep], None]:
    """What presses Ctrl-C after this step."""

    def report(now: TrainingStep) -> None:
        if now.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return report


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

    with monkeypatch.context() as patched:
        patched.setattr(backends, "load_base", full)
        with pytest.raises(TrainingError, match="out of memory at step 0, before the first checkpoint") as caught:
            run(recipe(base, rows, max_steps=2), tmp_path / "run")
    assert "in " + str(tmp_path / "run" / "recipe.yaml") in str(caught.value.hint)
    smaller = reopen(tmp_path / "run").model_copy(update={"max_tokens": 64, "select": "rear:1"})
    record = run(smaller, tmp_path / "run", resume=True)  # nothing was trained yet, so that all may change
    assert (record.recipe["max_tokens"], record.selection.layers) == (64, (2,))


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
    with pytest.raises(TrainingError, match="stopped at step 3"):
        run(recipe(base, rows), tmp_path / "run", report=stop_at(3))
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


# --- a run that goes on with something else than it was begun with


@pytest.fixture(scope="module")
def begun(base: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped at step 3, in a folder with its base and its data."""
    place = tmp_path_factory.mktemp("begun")
    shutil.copytree(base, place / "base")
    shutil.copyfile(rows, place / "train.tsv")
    with pytest.raises(TrainingError, match="stopped at step 3"):
        run(recipe(place / "base", place / "train.tsv"), place / "run", report=stop_at(3))
    return place


@pytest.fixture
def stopped(begun: Path, tmp_path: Path) -> Path:
    """A copy of that folder, which the run's recipe names."""
    place = shutil.copytree(begun, tmp_path / "place")
    path = place / "run" / "recipe.yaml"
    path.write_text(path.read_text().replace(str(begun), str(place)))
    return place


def edit_recipe(place: Path, old: str, new: str) -> None:
    path = place / "run" / "recipe.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def fewer_rows(place: Path) -> None:
    lines = (place / "train.tsv").read_text().splitlines(keepends=True)
    (place / "train.tsv").write_text("".join(lines[:30]))


def perturbed_base(place: Path) -> None:
    weights = load_file(place / "base" / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"] += 0.01
    save_file(weights, place / "base" / "model.safetensors", metadata={"format": "pt"})


def other_selection(place: Path) -> None:
    path = place / "run" / "records" / "selection.json"
    path.write_text(path.read_text().replace("layers.2.mlp.up_proj", "layers.2.mlp.down_proj"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (fewer_rows, r"train.tsv gave 40 rows, gives \d+"),
        (perturbed_base, "the base's files hold something else"),
        (lambda place: edit_recipe(place, "learning_rate: 0.001", "learning_rate: 1.0e-05"), "was 0.001, is 1e-05"),
        (lambda place: edit_recipe(place, "select: cogsym:2", "select: rear:1"), "select was cogsym:2, is rear:1"),
        (lambda place: edit_recipe(place, "limit: 40", "limit: 40\n  weight: 2"), "data.0.weight was 1.0, is 2.0"),
        (other_selection, "selection.json names other weights"),
    ],
)
def test_a_run_is_not_resumed_with_something_else(stopped: Path, change: Callable[[Path], None], told: str) -> None:
    change(stopped)
    out = stopped / "run"
    recipe_before = (out / "recipe.yaml").read_text()
    with pytest.raises(OutputError, match=told) as caught:
        run(reopen(out), out, resume=True)
    assert "--out" in str(caught.value.hint)
    assert (out / "recipe.yaml").read_text() == recipe_before
    assert last_checkpoint(out / "checkpoints") == out / "checkpoints" / "checkpoint-3"


def test_what_saves_memory_may_change_when_a_run_is_resumed(stopped: Path) -> None:
    edit_recipe(stopped, "micro_batch_size: 2", "micro_batch_size: 1\ngradient_checkpointing: true")
    edit_recipe(stopped, "checkpoint_steps: 2", "checkpoint_steps: 5")
    kept: list[str] = []

    def report(now: TrainingStep) -> None:
        kept.extend(path.name for path in (stopped / "run" / "checkpoints").glob("checkpoint-*"))

    record = run(reopen(stopped / "run"), stopped / "run", resume=True, report=report)
    assert record.steps == STEPS
    assert (record.recipe["micro_batch_size"], record.recipe["gradient_checkpointing"]) == (1, True)
    assert set(kept) == {"checkpoint-2", "checkpoint-3", "checkpoint-5"}, "the new `checkpoint_steps` counts"


def test_a_run_of_an_earlier_version_is_resumed_as_before(stopped: Path) -> None:
    (stopped / "run" / "beginning.json").unlink()
    fewer_rows(stopped)
    assert run(reopen(stopped / "run"), stopped / "run", resume=True).steps == STEPS


def test_resuming_refuses_options_that_it_would_ignore(stopped: Path, cogsym: Any) -> None:
    options = ("--select", "full", "--on", "jobs", "--target", "a/b", "--flavor", "l40sx1", "--recipe", "none.yaml")
    outcome = cogsym("train", "--resume", stopped / "run", *options)
    assert outcome.code == 1
    assert "without --recipe, --select, --on, --target, --flavor" in " ".join(outcome.err.split())
    assert cogsym("train", "--resume", stopped / "run", "--json").code == 0


# --- weights that break


def test_checkpoints_that_lead_to_a_loss_that_is_not_finite_are_dropped(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of a step judges the weights before it, so those of checkpoint-44 break unseen."""
    from toolkit.training import trainer

    take_step = trainer.PartialTrainer.training_step

    def breaking(self: Any, model: Any, *arguments: Any, **options: Any) -> Any:
        loss = take_step(self, model, *arguments, **options)
        return loss * float("nan") if self.state.global_step >= 44 else loss

    monkeypatch.setattr(trainer.PartialTrainer, "training_step", breaking)
    chosen = recipe(base, rows, max_steps=60, checkpoint_steps=11, micro_batch_size=4)
    for resume in (False, True):
        with pytest.raises(TrainingError, match="the loss became nan at step 45") as caught:
            run(chosen, tmp_path / "run", resume=resume)
        left = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()]
        assert left == ["checkpoint-33"]
        assert "checkpoint-33, from before, is kept" in str(caught.value.hint)
        assert "another run, with --out" in str(caught.value.hint)


def test_weights_that_are_not_finite_are_not_saved(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.training.watch import Watch

    def overflow(self: Any, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        with torch.no_grad():
            next(p for p in model.parameters() if p.requires_grad).fill_(float("inf"))

    monkeypatch.setattr(Watch, "on_optimizer_step", overflow, raising=False)
    with pytest.raises(TrainingError, match="weights are not finite any more, first in model"):
        run(recipe(base, rows, max_steps=1), tmp_path / "run")
    assert not (tmp_path / "run" / "trained").exists()
    assert last_checkpoint(tmp_path / "run" / "checkpoints") is None


@pytest.mark.parametrize(
    "field",
    [{"learning_rate": float("inf")}, {"epochs": float("inf")}, {"seed": 2**32}, {"max_grad_norm": float("nan")}],
)
def test_numbers_that_no_run_can_have_are_refused(base: Path, rows: Path, field: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=next(iter(field))):
        recipe(base, rows, **field)


# --- held-out rows


def test_keeping_the_best_is_refused_where_no_row_is_held_out(base: Path, rows: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="held_out_share 1e-06 keeps none"):
        prepare(recipe(base, rows, held_out_share=1e-6, keep_best=True), tmp_path / "run")


def test_rows_held_out_of_a_limited_source_are_not_replayed(base: Path, rows: Path) -> None:
    from toolkit.training import mix

    source = {"path": str(rows), "directions": ["eng>jav", "jav>eng"]}
    chosen = recipe(base, rows, data=[source | {"limit": 40}], replay=[source], replay_share=0.5, held_out_share=0.3)
    mixture = mix(chosen)
    held_out = {(example.prompt, example.completion) for example in mixture.held_out}
    assert held_out
    assert held_out.isdisjoint((example.prompt, example.completion) for example in mixture.examples)
