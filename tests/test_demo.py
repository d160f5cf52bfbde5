"""`cogsym demo --quick`: every stage of the product, on the shipped pocket."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import TrainingStopped


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that the demo made, and what it printed."""
    from contextlib import redirect_stdout, suppress
    from io import StringIO

    from toolkit.cli import main

    folder = tmp_path_factory.mktemp("demo") / "demo"
    printed = StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        main(["demo", "--quick", "--out", str(folder)])
    return folder, printed.getvalue()


def test_it_ends_with_table_translation_paths_and_next_commands(demo: tuple[Path, str]) -> None:
    folder, printed = demo
    for wanted in ("eng>jav", "jav>eng", "eng>ind (known)", "base", "adapted", "and back", " space serve --delta "):
        assert wanted in printed
    for made in ("run/delta.safetensors", "run/README.md", "published/pocket-cogsym-jav", "merged"):
        assert str(folder / made) in printed
        assert (folder / made).exists()


def test_it_learns_something_even_in_seconds(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    training = json.loads((folder / "run" / "records" / "training.json").read_text())
    assert training["final_loss"] < 0.8 * training["first_loss"]
    assert training["selection"]["layers"] == [0, 1, 14, 15]


def test_the_card_says_that_it_is_a_phrasebook_without_review(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    card = (folder / "published" / "pocket-cogsym-jav" / "README.md").read_text(encoding="utf-8")
    assert "phrasebook" in card
    assert "native speaker" in card
    assert str(folder) not in card


def test_its_recipe_can_be_used_again(demo: tuple[Path, str]) -> None:
    from toolkit.recipe import read_recipe

    folder, _ = demo
    recipe = read_recipe(folder / "pocket-jav.yaml")
    assert all(Path(source.path).is_file() for source in (*recipe.data, *recipe.replay))


def test_a_second_call_shows_what_the_first_has_made(demo: tuple[Path, str], cogsym: Callable[..., Any]) -> None:
    folder, printed = demo
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")}
    again = cogsym("demo", "--quick", "--out", folder)
    assert again.code == 0, again.err
    assert "Train" not in again.err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")} == before
    assert again.out.partition("What you have")[0] == printed.partition("What you have")[0]


@pytest.mark.parametrize("stage", ["toolkit.training.train", "toolkit.delta.merge"])
def test_it_goes_on_where_it_was_stopped(
    cogsym: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    from toolkit import demo

    def stop(*_: Any, **__: Any) -> Any:
        raise TrainingStopped("stopped at step 1 of 2", None) if "train" in stage else KeyboardInterrupt

    for name, value in {"QUICK_STEPS": 2, "QUICK_SENTENCES": 2}.items():
        monkeypatch.setattr(demo, name, value)
    with monkeypatch.context() as patch:
        patch.setattr(stage, stop)
        stopped = cogsym("demo", "--quick", "--out", tmp_path / "demo")
    assert stopped.code == (1 if "train" in stage else 130)
    assert "the same command again goes on" in stopped.err
    done = cogsym("demo", "--quick", "--out", tmp_path / "demo")
    assert done.code == 0, done.err
    assert (tmp_path / "demo" / "merged" / "config.json").is_file()


def test_it_does_not_write_over_anything_else(
    demo: tuple[Path, str], cogsym: Callable[..., Any], tmp_path: Path
) -> None:
    folder, _ = demo
    for options, said in (
        (["--quick", "--seed", "3"], "with 40 steps and seed 0, not with 40 and 3"),
        ([], "was begun with 40 steps"),
        (["--quick", "--language", "sun"], "exists already"),
    ):
        refused = cogsym("demo", *options, "--out", folder)
        assert refused.code == 1
        assert said in refused.err
        assert "--out" in refused.err
        assert "--resume" not in refused.err


def test_the_way_back_begins_where_the_way_there_ended(demo: tuple[Path, str], cogsym: Callable[..., Any]) -> None:
    folder, printed = demo
    block = printed.partition("interval)")[2].partition("What you have")[0].split("\n\n")[-2].splitlines()
    said = {line[:14].strip(): line[14:] for line in block[1:]}
    assert list(said) == ["base", "adapted", "and back", "phrasebook"]
    back = cogsym("translate", folder / "run", said["adapted"], "--direction", "jav>eng")
    assert back.out.strip() == said["and back"].strip()


def test_an_unknown_language_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from toolkit.cli import main

    with pytest.raises(SystemExit) as stop:
        main(["demo", "--quick", "--language", "deu", "--out", str(tmp_path / "demo")])
    assert stop.value.code == 1
    assert "pocket-jav" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_the_comparison_leaves_a_sweep_with_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from toolkit import demo

    for name, value in {"QUICK_STEPS": 2, "QUICK_SENTENCES": 2, "COMPARED": ("rear:25%",)}.items():
        monkeypatch.setattr(demo, name, value)
    stages: list[str] = []
    listener = SimpleNamespace(stage=lambda title, why: stages.append(title), step=lambda *_: None)
    made = demo.run_demo(tmp_path / "demo", listener, quick=True, compare=True)
    assert list(made.compared) == ["rear:25%", "full"]
    assert stages[-2:] == ["Compare: train rear:25%", "Compare: train full"]  # what was trained already is not again
    assert "cogsym:25%" in made.comparison.report.read_text(encoding="utf-8")
    assert (made.comparison.figures / "chrf.svg").is_file()
