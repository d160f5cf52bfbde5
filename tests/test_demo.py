"""`cogsym demo --quick`: every stage of the product, on the shipped pocket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


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


def test_it_does_not_write_over_an_earlier_one(demo: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    from toolkit.cli import main

    folder, _ = demo
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--quick", "--out", str(folder)])
    assert stop.value.code == 1
    assert "exists already" in capsys.readouterr().err


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
