"""A sweep that goes on: what it keeps, measures again, takes over, and refuses to put together."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from sweeps import planned, recipe_file, sweep_recipe

from toolkit.adaptation import prepare, train_delta
from toolkit.analysis import SweepFolder, run_sweep
from toolkit.errors import CorpusError, EvaluationError, OutputError
from toolkit.evaluation import evaluate
from toolkit.recipe import Recipe, make_recipe
from toolkit.run_folder import RunFolder
from toolkit.selection import read_layout

pytest_plugins = ("sweeps",)

Run = Callable[..., Any]


def scores(out: Path) -> list[tuple[str, ...]]:
    rows = csv.DictReader((out / "scores.csv").open(encoding="utf-8"))
    return sorted(tuple(row.values()) for row in rows)


def test_finished_points_are_kept_and_new_ones_join_them(finished: tuple[Recipe, Path], tmp_path: Path) -> None:
    chosen, done = finished
    out = tmp_path / "out"
    shutil.copytree(done, out)
    deltas = {path: path.stat().st_mtime_ns for path in out.glob("*/delta.safetensors")}
    record = run_sweep(planned("budgets", chosen, select=("rear",), budgets=("2",)), out)
    assert {point.name for point in record.done} == {
        "cogsym-2.seed0",
        "front-2.seed0",
        "full.seed0",
        "rear-2.seed0",
    }
    assert {path: path.stat().st_mtime_ns for path in deltas} == deltas
    assert "rear" in (out / "figures" / "chrf.svg").read_text(encoding="utf-8")
    seen = SweepFolder(done).read().differences
    assert seen == tuple(each for each in record.differences if each.series != "rear")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_steps": 5}, "max_steps was 4, is 5"),
        ({"learning_rate": 5e-4}, "was made from another recipe: learning_rate was 0.001, is 0.0005"),
    ],
)
def test_another_recipe_for_the_same_points_is_refused(
    finished: tuple[Recipe, Path], changes: dict[str, Any], message: str
) -> None:
    chosen, out = finished
    other = make_recipe(chosen.model_dump(exclude_unset=True) | changes)
    before = (out / "sweep.json").read_bytes()
    with pytest.raises(OutputError, match=message):
        run_sweep(planned("budgets", other, select=("cogsym",), budgets=("2",)), out)
    assert (out / "sweep.json").read_bytes() == before


def test_other_data_under_the_same_name_and_another_kind_are_refused(
    finished: tuple[Recipe, Path], tiny_base: Path, tmp_path: Path
) -> None:
    chosen, out = finished
    with pytest.raises(OutputError, match="kind was budgets, is order"):
        run_sweep(planned("order", chosen), out)
    other = sweep_recipe(tmp_path / "data", tiny_base)
    rows = tmp_path / "data" / "train.tsv"
    rows.write_text(rows.read_text(encoding="utf-8") + "the last one\tpungkasan\n", encoding="utf-8")
    with pytest.raises(OutputError, match=r"train\.tsv holds something else now"):
        run_sweep(planned("budgets", other, select=("cogsym",), budgets=("2",)), out)


def test_a_run_folder_of_another_recipe_is_not_taken_for_the_point(recipe: Recipe, tmp_path: Path) -> None:
    other = make_recipe(recipe.model_dump(exclude_unset=True) | {"select": "cogsym:2", "max_steps": 2})
    train_delta(prepare(other, tmp_path / "out" / "cogsym-2.seed0"))
    sweep = planned("budgets", recipe, select=("cogsym",), budgets=("2",), full=False)
    with pytest.raises(OutputError, match="was made from another recipe: max_steps was 2, is 4"):
        run_sweep(sweep, tmp_path / "out")


def test_a_run_folder_of_the_same_recipe_is_taken_for_the_point_and_anything_else_is_not(
    recipe: Recipe, tmp_path: Path
) -> None:
    sweep = planned("budgets", recipe, select=("cogsym",), budgets=("2",), full=False)
    out = tmp_path / "out"
    train_delta(prepare(sweep.points[0].recipe, out / "cogsym-2.seed0"))
    before = (out / "cogsym-2.seed0" / "delta.safetensors").stat().st_mtime_ns
    (out / "letters").mkdir()
    with pytest.raises(OutputError, match="holds letters, which is no part of this sweep"):
        run_sweep(sweep, out)
    (out / "letters").rmdir()
    record = run_sweep(sweep, out)
    assert [point.state for point in record.points] == ["done"]
    assert (out / "cogsym-2.seed0" / "delta.safetensors").stat().st_mtime_ns == before


# What an earlier command left


@pytest.fixture
def copied(finished: tuple[Recipe, Path], tmp_path: Path) -> tuple[Recipe, Path]:
    """The small sweep over cogsym-2, front-2 and full, to write into."""
    shutil.copytree(finished[1], tmp_path / "out")
    return finished[0], tmp_path / "out"


def test_a_mistake_in_the_test_sets_changes_nothing(copied: tuple[Recipe, Path], tmp_path: Path) -> None:
    chosen, out = copied
    before = (out / "sweep.json").read_bytes()
    (test,) = chosen.evaluation
    wrong = test.model_copy(update={"path": str(tmp_path / "missing.tsv"), "name": "more"})
    mistaken = chosen.model_copy(update={"evaluation": (test, wrong)})
    with pytest.raises(CorpusError, match=r"missing\.tsv"):
        run_sweep(planned("budgets", mistaken, select=("front",), budgets=("2",)), out)
    assert (out / "sweep.json").read_bytes() == before


def test_a_point_that_could_not_be_measured_again_stays_in_the_sweep(
    copied: tuple[Recipe, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit import evaluation

    chosen, out = copied
    (test,) = chosen.evaluation
    one = chosen.model_copy(update={"evaluation": (test.model_copy(update={"directions": ("eng>jav",)}),)})
    sweep = planned("budgets", one, select=("front",), budgets=("2",), full=False)

    def broken(*_: Any, **__: Any) -> None:
        raise EvaluationError("no room", "make some")

    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "evaluate", broken)
        assert run_sweep(sweep, out).done == ()
    record = run_sweep(sweep, out)
    assert {point.name for point in record.done} == {"cogsym-2.seed0", "front-2.seed0", "full.seed0"}
    assert {each.series for each in record.differences} == {"cogsym", "front", "full"}


def test_a_run_that_was_evaluated_in_another_way_is_measured_as_the_sweep_asks(copied: tuple[Recipe, Path]) -> None:
    chosen, out = copied
    asked = scores(out)
    evaluate(RunFolder(out / "front-2.seed0"), limit=2)
    run_sweep(planned("budgets", chosen, select=("cogsym",), budgets=("2",)), out)
    assert scores(out) == asked


def test_a_test_file_that_became_training_rows_is_noticed(recipe: Recipe, tmp_path: Path) -> None:
    sweep = planned("budgets", recipe, select=("cogsym",), budgets=("2",), full=False)
    out, run = tmp_path / "out", RunFolder(tmp_path / "out" / "cogsym-2.seed0")
    run_sweep(sweep, out)
    held_out = Path(recipe.evaluation[0].path or "")
    heading, *rows = held_out.read_text(encoding="utf-8").splitlines()
    held_out.write_text("\n".join([heading, *reversed(rows)]) + "\n", encoding="utf-8")
    assert len(run_sweep(sweep, out).done) == 1  # the same sentences
    trained = Path(recipe.data[0].path or "").read_text(encoding="utf-8").splitlines()
    held_out.write_text("\n".join(trained[:4]) + "\n", encoding="utf-8")
    with pytest.raises(EvaluationError, match="shares sentences with"):
        evaluate(run)
    (point,) = run_sweep(sweep, out).failed
    assert "shares sentences with 3 rows of the training data" in (point.error or "")


@pytest.mark.parametrize(
    ("kind", "first", "second", "message"),
    [
        (
            "positions",
            {"budget": "2", "offsets": (0,)},
            {"budget": "4", "offsets": (0,)},
            "select was cogsym:2, is cogsym:4",
        ),
        ("methods", {"select": ("cogsym",), "budget": "2"}, {"select": ("cogsym",), "budget": "4"}, "select was"),
        ("methods", {"select": ("cogsym",)}, {"select": ("cogsym",), "methods": ("lora",)}, "method was weights"),
        (
            "time",
            {"select": ("front:1",), "steps": (2,)},
            {"select": ("front:2",), "steps": (2,)},
            "select was front:1, is front:2",
        ),
    ],
)
def test_runs_of_different_ways_never_count_as_one_place(
    recipe: Recipe, tmp_path: Path, kind: str, first: dict[str, Any], second: dict[str, Any], message: str
) -> None:
    out = tmp_path / "out"
    run_sweep(planned(kind, recipe, **first, full=False), out)
    before = (out / "sweep.json").read_bytes()
    with pytest.raises(OutputError, match=message):
        run_sweep(planned(kind, recipe, **second, full=False, seeds=(1,)), out)
    assert (out / "sweep.json").read_bytes() == before


def test_runs_that_are_compared_have_one_learning_rate(copied: tuple[Recipe, Path]) -> None:
    chosen, out = copied
    faster = make_recipe(chosen.model_dump(exclude_unset=True) | {"learning_rate": 5e-4})
    with pytest.raises(OutputError, match=r"learning_rate was 0\.001, is 0\.0005"):
        run_sweep(planned("budgets", faster, select=("rear",), budgets=("2",), full=False), out)


def test_a_run_that_lies_there_was_trained_on_the_data_of_the_sweep(recipe: Recipe, tmp_path: Path) -> None:
    sweep = planned("budgets", recipe, select=("cogsym",), budgets=("2",), full=False)
    out = tmp_path / "out"
    train_delta(prepare(sweep.points[0].recipe, out / "cogsym-2.seed0"))
    data = tmp_path / "data" / "train.tsv"
    before = data.read_text(encoding="utf-8")
    heading, *rows = before.splitlines()
    data.write_text("\n".join([heading, *(f"{row} maneh" for row in rows)]) + "\n", encoding="utf-8")
    with pytest.raises(OutputError, match=r"cogsym-2\.seed0 was trained on other data, or on another base"):
        run_sweep(planned("budgets", recipe, select=("cogsym",), budgets=("2",), full=False), out)
    assert not (out / "sweep.json").exists()
    data.write_text(before, encoding="utf-8")
    assert len(run_sweep(sweep, out).done) == 1


def test_a_dry_run_refuses_what_the_sweep_would_refuse(
    cogsym: Run, copied: tuple[Recipe, Path], tmp_path: Path
) -> None:
    chosen, out = copied
    other = make_recipe(chosen.model_dump(exclude_unset=True) | {"max_steps": 5})
    file = recipe_file(other, tmp_path / "other.yaml")
    listed = cogsym("sweep", "budgets", "--recipe", file, "--out", out, "--budgets", "2", "--dry-run")
    assert listed.code == 1
    assert "max_steps was 4, is 5" in " ".join(listed.err.split())


# What others have trained


def test_what_another_sweep_has_trained_is_taken_over(finished: tuple[Recipe, Path], tmp_path: Path) -> None:
    chosen, done = finished
    told = []
    record = run_sweep(
        planned("methods", chosen, select=("front", "rear"), budget="2"),
        tmp_path / "out",
        reuse=[done],
        report=lambda step: told.append((step.stage, step.point)),
    )
    assert told[0] == ("taken over", "front-2.seed0, full.seed0")
    assert [point for stage, point in dict.fromkeys(told) if stage == "training"] == ["rear-2.seed0"]
    assert [point.state for point in record.points] == ["done"] * 3
    for name in ("front-2.seed0", "full.seed0"):
        mine, theirs = (RunFolder(folder / name) for folder in (tmp_path / "out", done))
        assert (mine.root / "delta.safetensors").read_bytes() == (theirs.root / "delta.safetensors").read_bytes()
        assert not [path for path in mine.root.rglob("*") if path.is_symlink()]


def test_a_copy_that_was_cut_off_is_not_taken_for_a_run(finished: tuple[Recipe, Path], tmp_path: Path) -> None:
    chosen, done = finished
    other = tmp_path / "other"
    for name in (".front-2.seed0.tmp", "front-2.seed0"):
        shutil.copytree(done / "front-2.seed0", other / name)
    (other / ".front-2.seed0.tmp" / "delta.safetensors").write_bytes(b"cut off")
    sweep = planned("budgets", chosen, select=("front",), budgets=("2",), full=False)
    assert len(run_sweep(sweep, tmp_path / "out", reuse=[other]).done) == 1


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({"select": "front:50%"}, True),
        ({"seed": 1}, True),  # other rows are drawn then
        ({"select": "front:1"}, False),
        ({"max_steps": 3}, False),
        ({"seed": 2}, False),
    ],
)
def test_a_run_is_taken_over_where_it_is_what_would_be_trained(
    recipe: Recipe, tmp_path: Path, changes: dict[str, Any], taken: bool
) -> None:
    trained = make_recipe(recipe.model_dump(exclude_unset=True) | {"select": "front:2"} | changes)
    train_delta(prepare(trained, tmp_path / "run"))
    told = []
    sweep = planned("budgets", recipe, select=("front",), budgets=("2",), seeds=(0, 1), full=False)
    run_sweep(sweep, tmp_path / "out", reuse=[tmp_path / "run"], report=lambda step: told.append(step))
    again = run_sweep(sweep, tmp_path / "out")  # goes on, whichever way the selection is written
    assert len(again.done) == 2
    name = f"front-2.seed{trained.seed}"
    assert (told[0].stage, told[0].point) == ("taken over", name if taken else "")
    assert (name in {step.point for step in told if step.stage == "training"}) is (not taken and trained.seed < 2)


def test_selections_that_train_the_same_are_written_alike(tiny_base: Path) -> None:
    from toolkit.analysis.points import canonical

    layout = read_layout(tiny_base)
    same = {canonical(select, layout) for select in ("cogsym:50%", "cogsym:2", "shifted:2@0", "shifted:50%@0")}
    assert same == {"cogsym:2"}
    assert canonical("shifted:2@1", layout) == "shifted:2@1"
    assert canonical("final:5%", layout) == "final:5%"


def test_a_run_on_other_rows_or_another_base_is_not_taken_over(recipe: Recipe, tiny_base: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_delta(prepare(make_recipe(recipe.model_dump(exclude_unset=True) | {"select": "front:2"}), run))

    def taken(out: str, base: Path = tiny_base, others: Sequence[Path] = ()) -> bool:
        told = []
        chosen = recipe.model_copy(update={"base": str(base)})
        sweep = planned("budgets", chosen, select=("front",), budgets=("2",), full=False)
        run_sweep(sweep, tmp_path / out, reuse=[*others, run], report=told.append)
        return next(step.point for step in told if step.stage == "taken over") == "front-2.seed0"

    data = tmp_path / "data" / "train.tsv"
    before = data.read_text(encoding="utf-8")
    heading, *rows = before.splitlines()
    data.write_text("\n".join([heading, *(f"{row} maneh" for row in rows)]) + "\n", encoding="utf-8")
    assert not taken("other rows")
    data.write_text(before, encoding="utf-8")
    assert taken("the same rows")
    shutil.copytree(run, tmp_path / "alike")  # by the same recipe, from other rows; it is looked at first
    record = RunFolder(tmp_path / "alike").read_training()
    other_rows = [source.model_copy(update={"fingerprint": "0" * 64}) for source in record.data]
    record.model_copy(update={"data": tuple(other_rows)}).write(RunFolder(tmp_path / "alike").training_record)
    assert taken("of two", others=[tmp_path / "alike"])
    other = tmp_path / "base"
    shutil.copytree(tiny_base, other)
    weights = load_file(other / "model.safetensors")
    save_file(
        weights | {"lm_head.weight": weights["lm_head.weight"] + 1}, other / "model.safetensors", {"format": "pt"}
    )
    written = (run / "recipe.yaml").read_text(encoding="utf-8")
    (run / "recipe.yaml").write_text(written.replace(str(tiny_base), str(other)), encoding="utf-8")
    assert not taken("other base", other)
    with pytest.raises(OutputError, match="holds no run to take over"):
        run_sweep(planned("budgets", recipe), tmp_path / "none", reuse=[tmp_path / "data"])
