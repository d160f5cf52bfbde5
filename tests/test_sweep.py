"""Sweeps: which runs they are, that they go on where they stopped, and that they notice what changed."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from safetensors.torch import load_file, save_file
from sweeps import STEPS, planned, recipe_file

from toolkit.adaptation import prepare, train_delta
from toolkit.analysis import SweepFolder, Variation, plan_sweep, run_sweep
from toolkit.errors import (
    CogsymError,
    CorpusError,
    OutputError,
    RecipeError,
    SelectionError,
    TrainingError,
    TrainingStopped,
)
from toolkit.recipe import Recipe, make_recipe
from toolkit.run_folder import RunFolder
from toolkit.selection import read_layout

Run = Callable[..., Any]
pytest_plugins = ("sweeps",)

VARIATION = Variation(select=("cogsym",), budgets=("2",))


@pytest.mark.parametrize(
    ("kind", "variation", "selections"),
    [
        ("budgets", {}, [f"{name}:{m}" for name in ("cogsym", "front", "rear") for m in (2, 4)] + ["full"]),
        ("budgets", {"select": ("front", "random"), "budgets": ("50%",)}, ["front:2", "random:cogsym:2", "full"]),
        ("positions", {"budget": "2", "full": False}, ["shifted:2@0", "shifted:2@1"]),
        ("positions", {"budget": "2", "offsets": (1,)}, ["shifted:2@1", "full"]),
        ("methods", {"select": ("cogsym", "fisher", "ffn"), "budget": "50%"}, ["cogsym:2", "fisher:2", "ffn", "full"]),
        ("order", {"full": False}, ["cogsym:2"] * 3),
        ("time", {"full": False}, ["cogsym:2", "front:1", "rear:1"]),
    ],
)
def test_the_points_of_a_sweep_are_those_of_the_paper_scaled_to_the_model(
    recipe: Recipe, kind: str, variation: dict[str, Any], selections: list[str]
) -> None:
    sweep = planned(kind, recipe, **variation)
    assert [point.recipe.select for point in sweep.points] == selections
    assert len({point.name for point in sweep.points}) == len(sweep.points)


def test_other_test_sets_are_measured_anew_and_finished_runs_are_not_touched(
    finished: tuple[Recipe, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.analysis import sweep as room

    chosen, done = finished
    out = tmp_path / "out"
    shutil.copytree(done, out)
    monkeypatch.setattr(room, "train_delta", lambda *_, **__: pytest.fail("trained again"))
    seen: list[str] = []
    same = planned("budgets", chosen, select=("cogsym",), budgets=("2",))
    run_sweep(same, out, report=lambda step: seen.append(step.point))
    assert not seen
    fewer = plan_sweep("budgets", chosen, read_layout(Path(chosen.base)), VARIATION, limit=2)
    run_sweep(fewer, out, report=lambda step: seen.append(step.point))
    assert set(seen) == {"cogsym-2.seed0", "front-2.seed0", "full.seed0"}  # the point of an earlier command, too
    rows = list(csv.DictReader((out / "scores.csv").open(encoding="utf-8")))
    assert {row["n"] for row in rows} == {"2"}
    assert {row["series"] for row in rows} == {"base", "full", "cogsym", "front"}

    (test,) = chosen.evaluation
    one = chosen.model_copy(update={"evaluation": (test.model_copy(update={"directions": ("eng>jav",)}),)})
    run_sweep(planned("budgets", one, select=("cogsym",), budgets=("2",)), out)
    rows = list(csv.DictReader((out / "scores.csv").open(encoding="utf-8")))
    assert {row["direction"] for row in rows} == {"eng>jav"}


def test_what_is_said_of_adapters_is_said_to_runs_that_train_them(recipe: Recipe) -> None:
    said = make_recipe(recipe.model_dump(exclude_unset=True) | {"method": "lora", "lora_rank": 4, "lora_alpha": 8})
    sweep = planned("methods", said, select=("front",), methods=("weights", "lora"), full=False)
    assert [(each.recipe.method, each.recipe.lora_rank) for each in sweep.points] == [("weights", 16), ("lora", 4)]


def test_orders_seeds_and_methods_multiply_and_are_named_by_what_they_train(recipe: Recipe) -> None:
    sweep = planned("order", recipe, seeds=(0, 1), methods=("weights", "lora"))
    names = [point.name for point in sweep.points]
    assert len(names) == 2 * 2 * 4
    assert "cogsym-2.front_then_rear.lora.seed1" in names
    point = next(point for point in sweep.points if point.name == "cogsym-2.front_then_rear.lora.seed1")
    assert (point.recipe.order, point.recipe.method, point.recipe.seed) == ("front_then_rear", "lora", 1)
    assert point.series == "front_then_rear (LoRA)"


def test_a_learning_rate_that_was_not_chosen_follows_the_method(recipe: Recipe) -> None:
    fields = recipe.model_dump(exclude_unset=True)
    del fields["learning_rate"]
    sweep = planned("methods", make_recipe(fields), select=("cogsym",), methods=("weights", "lora"), full=False)
    assert [point.recipe.learning_rate for point in sweep.points] == [2e-5, 2e-4]


@pytest.mark.parametrize(
    ("kind", "variation", "error", "message"),
    [
        ("budgets", {"budgets": ("6",)}, SelectionError, "does not fit a model of 4"),
        ("budgets", {"budgets": ("3",)}, SelectionError, "odd"),
        ("budgets", {"select": ("cogsim",)}, SelectionError, "unknown selection 'cogsim'"),
        ("budgets", {"select": ("subnetwork",)}, SelectionError, "takes no budget of layers"),
        ("positions", {"budget": "2", "offsets": (9,)}, SelectionError, "overlap"),
        ("methods", {"methods": ("qlora",)}, RecipeError, "'weights' or 'lora'"),
        ("time", {"steps": (9,)}, RecipeError, "step 9 is not one of the 4 steps"),
        ("order", {"select": ("front:2",)}, SelectionError, "front-2.*one end after the other"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_trained(
    recipe: Recipe, tmp_path: Path, kind: str, variation: dict[str, Any], error: type[CogsymError], message: str
) -> None:
    with pytest.raises(error, match=message) as told:
        run_sweep(planned(kind, recipe, **variation), tmp_path / "out")
    assert told.value.hint
    assert not (tmp_path / "out").exists()


def test_a_sweep_needs_test_sets_and_over_time_a_number_of_steps(recipe: Recipe) -> None:
    with pytest.raises(RecipeError, match="names no test set"):
        planned("budgets", recipe.model_copy(update={"evaluation": ()}))
    with pytest.raises(RecipeError, match="counts in epochs"):
        planned("time", recipe.model_copy(update={"max_steps": None}))
    with pytest.raises(RecipeError, match="no step is alike"):
        planned("time", recipe.model_copy(update={"order": "front_then_rear"}))


def test_each_point_is_a_run_folder_with_scores_and_nothing_that_is_not_needed(finished: tuple[Recipe, Path]) -> None:
    _, out = finished
    record = SweepFolder(out).read()
    assert [(point.name, point.state) for point in record.points] == [
        ("cogsym-2.seed0", "done"),
        ("front-2.seed0", "done"),
        ("full.seed0", "done"),
    ]
    for point in record.points:
        run = RunFolder(out / point.name)
        assert run.read_config().selection.layers == {"cogsym": (0, 3), "front": (0, 1)}.get(point.series, (0, 1, 2, 3))
        assert len(run.read_evaluations()) == 4
        assert not run.trained.exists()
        assert not run.checkpoints.exists()


def test_figures_table_and_summary_are_written_and_name_what_they_show(finished: tuple[Recipe, Path]) -> None:
    _, out = finished
    shown = "".join(ElementTree.parse(out / "figures" / "chrf.svg").getroot().itertext())
    for label in ("English → Javanese", "Javanese → English", "cogsym", "front", "full", "base", "chrF++", "n", "of 4"):
        assert label in shown
    assert (out / "figures" / "chrf.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((out / "scores.csv").open(encoding="utf-8")))
    places = {(row["series"], row["x"]) for row in rows if row["metric"] == "chrF++" and row["direction"] == "eng>jav"}
    assert places == {("base", ""), ("full", ""), ("cogsym", "2"), ("front", "2")}
    summary = (out / "sweep.md").read_text(encoding="utf-8")
    assert "| cogsym | 2 |" in summary
    assert "figures/chrf.png" in summary
    assert str(out) not in summary + (out / "sweep.json").read_text(encoding="utf-8")


def test_the_numbers_are_those_of_the_runs_and_the_base_answers_once(finished: tuple[Recipe, Path]) -> None:
    _, out = finished
    rows = list(csv.DictReader((out / "scores.csv").open(encoding="utf-8")))
    row = next(
        row for row in rows if (row["series"], row["metric"], row["direction"]) == ("front", "chrF++", "jav>eng")
    )
    record = next(
        each
        for each in RunFolder(out / "front-2.seed0").read_evaluations()
        if each.model == "adapted" and each.direction == "jav>eng"
    )
    score = record.score("chrF++")
    assert score is not None
    assert (float(row["mean"]), float(row["low"])) == (score.value, score.low)
    bases = [
        [each.seconds for each in RunFolder(out / name).read_evaluations() if each.model == "base"]
        for name in ("cogsym-2.seed0", "front-2.seed0", "full.seed0")
    ]
    assert bases[0] == bases[1] == bases[2]  # copied, not computed again


def test_differences_are_those_of_the_same_resampled_sentences(finished: tuple[Recipe, Path]) -> None:
    import numpy as np
    from sacrebleu.metrics import CHRF

    _, out = finished
    record = SweepFolder(out).read()
    (found,) = [
        each
        for each in record.differences
        if (each.series, each.against, each.task, each.metric) == ("front", "full", "held-out_jav_eng", "chrF++")
    ]
    answers = {}
    for name in ("front-2.seed0", "full.seed0"):
        lines = (
            (RunFolder(out / name).samples / "held-out_jav_eng.adapted.jsonl").read_text(encoding="utf-8").splitlines()
        )
        answers[name] = [json.loads(line) for line in lines]

    def score(name: str, rows: list[int]) -> float:
        chosen = [answers[name][row] for row in rows]
        references = [[sample["reference"] for sample in chosen]]
        return CHRF(word_order=2).corpus_score([sample["hypothesis"] for sample in chosen], references).score

    whole = list(range(len(answers["full.seed0"])))
    front, full = score("front-2.seed0", whole), score("full.seed0", whole)
    assert (found.value, found.by_seed) == (pytest.approx(front - full), (pytest.approx(front - full),))
    assert found.percent == (pytest.approx(100 * (front / full - 1)) if full else None)
    drawn = np.random.default_rng(12345).choice(len(whole), size=(1000, len(whole)))
    apart = sorted(score("front-2.seed0", list(rows)) - score("full.seed0", list(rows)) for rows in drawn)
    assert (found.low, found.high) == (pytest.approx(apart[25]), pytest.approx(apart[-26]))


def test_adapters_are_compared_with_adapters_everywhere_and_a_place_with_its_own() -> None:
    from toolkit.analysis.differences import _reference

    both = dict.fromkeys([("full", None), ("full (LoRA)", None), ("cogsym", None), ("cogsym (LoRA)", None)])
    assert _reference(("cogsym (LoRA)", None), both) == ("full (LoRA)", None)
    assert _reference(("cogsym", None), both) == ("full", None)
    assert _reference(("cogsym (LoRA)", None), {("full", None): None}) == ("full", None)
    assert _reference(("full (LoRA)", None), both) is None
    over_time = dict.fromkeys([("full", 2), ("full", 4), ("cogsym", 2)])
    assert _reference(("cogsym", 2), over_time) == ("full", 2)
    assert _reference(("cogsym", 3), over_time) is None


def test_every_place_is_compared_with_the_base_and_all_but_full_with_full(finished: tuple[Recipe, Path]) -> None:
    _, out = finished
    record = SweepFolder(out).read()
    pairs = {(each.series, each.x, each.against) for each in record.differences}
    assert pairs == {
        ("cogsym", 2, "base"),
        ("cogsym", 2, "full"),
        ("front", 2, "base"),
        ("front", 2, "full"),
        ("full", None, "base"),
    }
    assert {each.task for each in record.differences} == {"held-out_eng_jav", "held-out_jav_eng"}
    summary = (out / "sweep.md").read_text(encoding="utf-8")
    assert "### chrF++, difference from everything trained" in summary
    assert "of what was known before" not in summary  # nothing of that kind was measured


def test_data_that_cannot_be_used_are_told_once_and_not_for_every_point(recipe: Recipe, tmp_path: Path) -> None:
    held_out = Path(recipe.evaluation[0].path)
    rows = Path(recipe.data[0].path or "").read_text(encoding="utf-8").splitlines()
    held_out.write_text("\n".join(rows[:4]) + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="share"):
        run_sweep(planned("budgets", recipe, budgets=("2",)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_point_that_fails_is_reported_and_the_others_go_on(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.analysis import sweep as room

    def breaks(plan: Any, **options: Any) -> Any:
        if plan.recipe.select.startswith("front"):
            raise TrainingError("the loss became nan at step 2", "lower it")
        return train_delta(plan, **options)

    monkeypatch.setattr(room, "train_delta", breaks)
    sweep = planned("budgets", recipe, select=("front", "rear"), budgets=("2",), full=False)
    record = run_sweep(sweep, tmp_path / "out")
    assert [(point.series, point.state) for point in record.points] == [("front", "failed"), ("rear", "done")]
    assert "the loss became nan" in (record.failed[0].error or "")
    assert "the loss became nan" in (tmp_path / "out" / "sweep.md").read_text(encoding="utf-8")

    monkeypatch.undo()
    again = run_sweep(sweep, tmp_path / "out")
    assert [point.state for point in again.points] == ["done", "done"]
    assert "Failed" not in (tmp_path / "out" / "sweep.md").read_text(encoding="utf-8")


def test_ctrl_c_stops_the_sweep_and_not_just_the_point(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.analysis import sweep as room

    def stopped(plan: Any, **options: Any) -> Any:
        raise TrainingStopped("stopped at step 2 of 4; a checkpoint is saved")

    monkeypatch.setattr(room, "train_delta", stopped)
    with pytest.raises(TrainingStopped, match=r"cogsym-2\.seed0: stopped at step 2") as told:
        run_sweep(planned("budgets", recipe, budgets=("2",)), tmp_path / "out")
    assert "the same command goes on" in (told.value.hint or "")
    assert all(point.state == "planned" for point in SweepFolder(tmp_path / "out").read().points)


# Runs a sweep from a recipe file and dies at a step of its second point.
DYING = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[3])
from sweeps import planned
from toolkit.analysis import run_sweep
from toolkit.recipe import read_recipe

def report(now):
    if now.point == "rear-2.seed0" and now.stage == "training" and now.done == 3:
        os.kill(os.getpid(), signal.SIGKILL)

sweep = planned("budgets", read_recipe(Path(sys.argv[1])), select=("front", "rear"), budgets=("2",), full=False)
run_sweep(sweep, Path(sys.argv[2]), report=report)
"""


def test_a_sweep_that_was_killed_goes_on_to_the_same_weights(recipe: Recipe, tmp_path: Path) -> None:
    sweep = planned("budgets", recipe, select=("front", "rear"), budgets=("2",), full=False)
    run_sweep(sweep, tmp_path / "whole")
    file = recipe_file(recipe, tmp_path / "recipe.yaml")
    call = [sys.executable, "-c", DYING, file, tmp_path / "killed", Path(__file__).parent]
    assert subprocess.run(call, capture_output=True, timeout=200).returncode == -signal.SIGKILL
    out = tmp_path / "killed"
    begun = SweepFolder(out).read()
    assert [point.state for point in begun.points] == ["done", "planned"]
    assert {(each.series, each.against) for each in begun.differences} == {("front", "base")}
    assert any((out / "rear-2.seed0" / "checkpoints").iterdir())
    first = (out / "front-2.seed0" / "delta.safetensors").stat().st_mtime_ns

    steps: list[tuple[str, int]] = []
    run_sweep(sweep, out, report=lambda now: steps.append((now.point, now.done)) if now.stage == "training" else None)
    assert [done for point, done in steps if point == "rear-2.seed0"] == [3, 4]  # from the checkpoint of step 2
    assert not [point for point, _ in steps if point == "front-2.seed0"]
    assert (out / "front-2.seed0" / "delta.safetensors").stat().st_mtime_ns == first
    same = [(folder / "rear-2.seed0" / "delta.safetensors").read_bytes() for folder in (out, tmp_path / "whole")]
    assert same[0] == same[1]


def test_methods_show_the_layers_that_each_chose_and_the_spread_over_seeds(recipe: Recipe, tmp_path: Path) -> None:
    sweep = planned("methods", recipe, select=("fisher", "alpha"), budget="2", seeds=(0, 1), full=False)
    record = run_sweep(sweep, tmp_path / "out")
    assert [point.state for point in record.points] == ["done"] * 4
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").open(encoding="utf-8")))
    row = next(row for row in rows if row["series"] == "fisher")
    values = [float(value) for value in row["values"].split()]
    assert row["seeds"] == "0 1"
    assert (float(row["low"]), float(row["high"])) == (min(values), max(values))
    assert float(row["mean"]) == pytest.approx(sum(values) / 2)
    (apart,) = [
        each
        for each in record.differences
        if (each.series, each.task, each.metric)
        == ("fisher", "held-out_" + row["direction"].replace(">", "_"), "chrF++")
    ]
    assert (apart.against, apart.seeds) == ("base", (0, 1))
    assert apart.value == pytest.approx(sum(apart.by_seed) / 2)
    shown = "\n".join(ElementTree.parse(tmp_path / "out" / "figures" / "layers.svg").getroot().itertext())
    assert "fisher" in shown
    assert "decoder layer" in shown
    assert "figures/layers.png" in (tmp_path / "out" / "sweep.md").read_text(encoding="utf-8")


def test_over_time_each_snapshot_is_the_run_that_stopped_there(recipe: Recipe, tiny_base: Path, tmp_path: Path) -> None:
    from toolkit.pretrained import from_pretrained

    constant = make_recipe(recipe.model_dump(exclude_unset=True) | {"schedule": "constant"})
    sweep = planned("time", constant, select=("cogsym:2",), steps=(2,), full=False)
    record = run_sweep(sweep, tmp_path / "out")
    whole = RunFolder(tmp_path / "out" / "cogsym-2.seed0")
    assert [point.snapshots for point in record.points] == [(2,)]
    assert len(whole.snapshot(2).read_evaluations()) == 4
    assert not whole.snapshot(2).trained.exists()
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").open(encoding="utf-8")))
    assert {row["x"] for row in rows if row["series"] == "cogsym"} == {"2", str(STEPS)}

    short = make_recipe(constant.model_dump(exclude_unset=True) | {"select": "cogsym:2", "max_steps": 2})
    train_delta(prepare(short, tmp_path / "short"))
    kept, alone = (from_pretrained(folder, base=tiny_base) for folder in (whole.snapshot(2).root, tmp_path / "short"))
    for name, parameter in kept.named_parameters():
        assert torch.equal(parameter, alone.get_parameter(name)), name

    with pytest.raises(OutputError, match="keeps its weights after steps 2, and other steps"):
        run_sweep(planned("time", constant, select=("cogsym:2",), steps=(3,), full=False), tmp_path / "out")


def test_a_delta_whose_config_was_not_written_is_made_again(recipe: Recipe, tmp_path: Path) -> None:
    plan = prepare(recipe, tmp_path / "run")
    train_delta(plan)
    kept = plan.run.delta.read_bytes()
    merged = load_file(Path(recipe.base) / "model.safetensors")
    plan.run.config.unlink()
    from toolkit.delta import merge

    merge(plan.run.delta, Path(recipe.base), tmp_path / "merged")
    trained = load_file(tmp_path / "merged" / "model.safetensors")
    plan.run.trained.mkdir()

    changed = {name: tensor for name, tensor in trained.items() if not torch.equal(tensor, merged[name])}
    save_file(changed, plan.run.trained / "trained-00001.safetensors")
    train_delta(prepare(recipe, tmp_path / "run", resume=True), resume=True)
    assert plan.run.config.is_file()
    assert plan.run.delta.read_bytes() == kept
    shutil.rmtree(tmp_path / "merged")


def test_the_command_lists_trains_draws_and_goes_on(
    cogsym: Run, tiny_base: Path, tmp_path: Path, recipe: Recipe
) -> None:
    file = recipe_file(recipe, tmp_path / "recipe.yaml")
    out = tmp_path / "out"
    command = ("sweep", "budgets", "--recipe", file, "--out", out, "--select", "rear", "--budgets", "2", "--no-full")
    listed = cogsym(*command, "--dry-run", "--json")
    assert listed.code == 0, listed.err
    (row,) = json.loads(listed.out)
    assert (row["name"], row["layers"], row["trained"]) == ("rear-2.seed0", "2-3", False)
    assert row["trained_weights"] > 0
    assert row["same_recipe"] is None
    assert not out.exists()

    trained = cogsym(*command)
    assert trained.code == 0, trained.err
    assert "rear" in trained.out
    assert "1 runs, 1 of them to train" in trained.err
    (out / "sweep.md").unlink()
    (out / "figures" / "chrf.png").unlink()
    drawn = cogsym("sweep", "draw", out)
    assert drawn.code == 0, drawn.err
    assert (out / "sweep.md").is_file()
    assert (out / "figures" / "chrf.png").is_file()
    assert "trained already" in cogsym(*command).err
    elsewhere = ("--out", tmp_path / "other", "--reuse", out, "--dry-run")
    (row,) = json.loads(cogsym(*command, *elsewhere, "--json").out)
    assert (row["trained"], row["same_recipe"]) == (False, str(out / "rear-2.seed0"))
    listed = cogsym(*command, *elsewhere)
    assert "recipe is known: 1 taken over where data and base of that run are the same" in listed.err
    assert not (tmp_path / "other").exists()
    assert "holds no run to take over" in cogsym(*command, "--reuse", out / "figures", "--dry-run").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("budgets", "--seeds", "0,x"), "--seeds: 'x' is not a whole number"),
        (("budgets", "--select", "cogsim"), "did you mean cogsym?"),
        (("budgets", "--budgets", "98"), "does not fit a model of 4"),
    ],
)
def test_a_wrong_option_is_told_with_what_to_do(
    cogsym: Run, recipe: Recipe, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    file = recipe_file(recipe, tmp_path / "recipe.yaml")
    outcome = cogsym("sweep", *arguments, "--recipe", file, "--out", tmp_path / "out")
    assert outcome.code == 1
    assert message in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "out").exists()


def test_drawing_where_there_is_no_sweep_is_told(cogsym: Run, tmp_path: Path) -> None:
    assert "holds no sweep" in cogsym("sweep", "draw", tmp_path).err
    assert "where should the runs go?" in cogsym("sweep", "budgets", "--recipe", "pocket-jav").err
