"""The command line: help that a newcomer understands, errors without tracebacks, exit codes, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import WORDS, make_tiny_base

from toolkit import __version__
from toolkit.cli import app

Run = Callable[..., Any]


def write_recipe(folder: Path, tiny: Path, **changes: Any) -> Path:
    rows = [f"the {a} is near the {b}\t{b} cedhak {a}" for a in WORDS for b in WORDS]
    (folder / "train.tsv").write_text("eng\tjav\n" + "\n".join(rows[:60]) + "\n")
    (folder / "test.tsv").write_text("eng\tjav\n" + "\n".join(rows[200:206]) + "\n")
    fields = {
        "language": "jav",
        "base": str(tiny),
        "select": "cogsym:2",
        "data": [{"path": "train.tsv", "directions": ["eng>jav", "jav>eng"]}],
        "evaluation": [{"path": "test.tsv", "directions": ["eng>jav"], "max_new_tokens": 8}],
        "prompt": "lines",
        "max_steps": 3,
        "batch_size": 4,
        "learning_rate": 0.001,
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(fields | changes))  # JSON is YAML
    return path


def test_help_names_every_verb_with_a_sentence(cogsym: Run) -> None:
    outcome = cogsym("--help")
    assert outcome.code == 0
    verbs = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert {"demo", "train", "merge", "translate", "publish", "evaluate", "card", "doctor"} <= set(verbs)
    for verb in verbs:
        assert f" {verb} " in outcome.out
        assert cogsym(verb, "--help").code == 0
    assert "cogsym demo" in outcome.out


def test_version_and_doctor(cogsym: Run) -> None:
    assert cogsym("--version").out == f"cogsym-toolkit {__version__}\n"
    report = json.loads(cogsym("doctor", "--json").out)
    assert report["torch"]["ok"]
    assert "delta kernel" in report
    assert "graphics card" in cogsym("doctor").out


def test_wrong_usage_is_2_and_an_expected_error_is_1_without_a_traceback(cogsym: Run) -> None:
    assert cogsym("train", "--nonsense").code == 2
    outcome = cogsym("languages", "show", "nepali")
    assert outcome.code == 1
    assert outcome.err.startswith("error: unknown language 'nepali'\nhint: did you mean 'npi'?")
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


def test_debug_shows_the_traceback() -> None:
    command = [sys.executable, "-m", "toolkit", "--debug", "languages", "show", "nepali"]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" in outcome.stderr
    assert "LanguageError" in outcome.stderr


def test_languages_are_listed_and_shown(cogsym: Run) -> None:
    listed = json.loads(cogsym("languages", "list", "--json").out)
    assert {"eng", "ind", "jav", "sun"} <= {language["code"] for language in listed}
    assert json.loads(cogsym("languages", "show", "jav", "--json").out)["names"]["own"] == "Basa Jawa"
    assert "Basa Sunda" in cogsym("languages", "list").out


def test_a_shipped_recipe_is_printed_and_its_dry_run_names_the_layers_of_llama_2(cogsym: Run) -> None:
    assert "llama-2-7b-jav" in cogsym("recipes").out
    assert "base: meta-llama/Llama-2-7b-hf" in cogsym("recipes", "llama-2-7b-jav").out
    outcome = cogsym("train", "--recipe", "llama-2-7b-jav", "--dry-run", "--json")
    selection = json.loads(outcome.out)["selection"]
    assert selection["layers"] == [0, 1, 2, 3, 28, 29, 30, 31]
    assert selection["parameters"][-1] == "lm_head.weight"
    assert not any(json.loads(outcome.out)["data"].values())
    assert "layers 0-3, 28-31 of 32" in cogsym("train", "--recipe", "llama-2-7b-jav", "--dry-run").out


def test_a_shipped_recipe_finds_its_data_where_it_is_run(
    cogsym: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = cogsym("train", "--recipe", "pocket-jav", "--out", "run")
    assert f"no file at {tmp_path / 'data' / 'test.tsv'}" in missing.err
    assert cogsym("pocket", "corpus", "data").code == 0
    found = json.loads(cogsym("train", "--recipe", "pocket-jav", "--dry-run", "--json").out)["data"]
    assert found == {str(tmp_path / "data" / name): True for name in ("train.tsv", "test.tsv")}


def test_select_draws_and_lists(cogsym: Run, tiny_base: Path) -> None:
    outcome = cogsym("select", "--base", tiny_base, "--select", "front:1")
    assert "embeddings ■  layers ■□□□  LM head □" in outcome.out
    assert "model.layers.0.mlp.up_proj.weight" in outcome.out
    assert json.loads(cogsym("select", "--base", tiny_base, "--json").out)["layers"] == [0, 3]


def test_train_leaves_a_delta_that_verifies(cogsym: Run, tiny_base: Path, tmp_path: Path) -> None:
    recipe, run = write_recipe(tmp_path, tiny_base), tmp_path / "run"
    outcome = cogsym("train", "--recipe", recipe, "--out", run)
    assert outcome.code == 0, outcome.err
    assert "trained 3 steps" in outcome.out
    assert sorted(path.name for path in run.iterdir()) == [
        "beginning.json",
        "config.json",
        "delta.safetensors",
        "figures",
        "metrics.jsonl",
        "recipe.yaml",
        "records",
    ]
    assert cogsym("verify", run, "--base", tiny_base, "--full").code == 0

    again = cogsym("train", "--recipe", recipe, "--out", run)
    assert again.code == 1
    assert "exists already" in again.err


def test_how_to_train_can_be_said_instead_of_the_recipe(cogsym: Run, tiny_base: Path, tmp_path: Path) -> None:
    recipe, run = write_recipe(tmp_path, tiny_base), tmp_path / "run"
    options = ("--method", "lora", "--order", "rear_then_front", "--frozen", "4bit", "--backend", "auto")
    outcome = cogsym("train", "--recipe", recipe, "--out", run, *options)
    assert outcome.code == 0, outcome.err
    assert "adapters of rank 16" in outcome.err
    assert "trained 6 steps" in outcome.out
    assert (run / "adapter" / "adapter_model.safetensors").is_file()
    assert cogsym("verify", run, "--base", tiny_base, "--full").code == 0
    record = json.loads((run / "records" / "training.json").read_text())
    assert (record["method"], record["backend"], record["recipe"]["frozen"]) == ("lora", "transformers", "4bit")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--select", "full", "--order", "rear_then_front"), "full trains the layers 0-3 of 4"),
        (("--select", "full", "--frozen", "4bit"), "full freezes no decoder layer"),
        (("--method", "qlora"), "method: Input should be 'weights' or 'lora' (got 'qlora')"),
    ],
)
def test_a_way_to_train_that_cannot_be_is_told_and_nothing_is_written(
    cogsym: Run, tiny_base: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    outcome = cogsym("train", "--recipe", write_recipe(tmp_path, tiny_base), "--out", tmp_path / "run", *options)
    assert outcome.code == 1
    assert message in " ".join(outcome.err.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": [{"path": "none.tsv", "directions": ["eng>jav"]}]}, "no file at"),
        ({"data": [{"path": "train.tsv", "columns": {"jav": "java"}, "directions": ["eng>jav"]}]}, "no column 'java'"),
        ({"data": [{"path": "train.tsv", "columns": {"jav": "jav"}}]}, "which languages does it hold?"),
        ({"data": [{"path": "train.tsv", "columns": {"eng": "eng", "jav": "eng"}}]}, "cannot hold a translation"),
        ({"data": [{"path": "empty.tsv", "directions": ["eng>jav"]}]}, "is empty"),
        ({"language": "xxx"}, "unknown language 'xxx'"),
        ({"select": "cogsym:3"}, "odd"),
        ({"select": "cogsym:80"}, "does not fit a model of 4"),
        ({"select": "layers:9"}, "not in this model"),
        ({"base": "nowhere"}, "no base model at"),
        ({"learning_rat": 1}, "did you mean `learning_rate`?"),
    ],
)
def test_bad_input_is_told_and_nothing_is_written(
    cogsym: Run, tiny_base: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    (tmp_path / "empty.tsv").touch()
    recipe = write_recipe(tmp_path, tiny_base, **changes)
    outcome = cogsym("train", "--recipe", recipe, "--out", tmp_path / "run")
    assert outcome.code == 1
    assert message in outcome.err
    assert "hint: " in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("damage", ["truncated", "missing", "no config", "garbage"])
def test_a_damaged_base_is_told(cogsym: Run, tmp_path: Path, damage: str) -> None:
    base = make_tiny_base(tmp_path / "base", layers=2)
    weights = base / "model.safetensors"
    if damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif damage == "missing":
        weights.unlink()
    elif damage == "no config":
        (base / "config.json").unlink()
    else:
        weights.write_bytes(b"\xff" * 1000)
    outcome = cogsym("train", "--recipe", write_recipe(tmp_path, base), "--out", tmp_path / "run")
    assert outcome.code == 1, outcome.err
    assert outcome.err.startswith("error: ")
    assert "hint: " in outcome.err
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_told(cogsym: Run, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    recipe = write_recipe(tmp_path, tiny_base)
    outcome = cogsym("train", "--recipe", recipe, "--out", tmp_path / "file" / "run")
    assert outcome.code == 1
    assert outcome.err.startswith("error: ")


def test_training_without_a_recipe_or_a_place_is_told(cogsym: Run, tiny_base: Path, tmp_path: Path) -> None:
    assert "which recipe?" in cogsym("train", "--out", tmp_path / "run").err
    assert "where should the run go?" in cogsym("train", "--recipe", write_recipe(tmp_path, tiny_base)).err
    assert "no run to continue" in cogsym("train", "--resume", tmp_path / "nothing").err
    assert "no recipe 'none'" in cogsym("train", "--recipe", "none", "--out", tmp_path / "run").err


def test_no_number_is_cut_off_where_the_terminal_is_narrow() -> None:
    from io import StringIO

    from rich.console import Console
    from rich.table import Table

    from toolkit.cli.console import print_numbers

    table = Table(box=None)
    for name in ("trained", "eng>jav", "jav>eng"):
        table.add_column(name, no_wrap=True)
    table.add_row("front_then_rear", "2.155 [2.145, 2.166]", "+4.0% [+3.8, +4.3]")
    console = Console(width=20, file=StringIO())
    print_numbers(table, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "front_then_rear  2.155 [2.145, 2.166]  +4.0% [+3.8, +4.3]" in printed


@pytest.mark.parametrize("command", ["evaluate", "card", "inspect"])
def test_a_folder_around_a_run_and_a_whole_model_are_told_from_a_delta(
    cogsym: Callable[..., Any], tmp_path: Path, tiny_base: Path, command: str
) -> None:
    (tmp_path / "esperanto" / "run").mkdir(parents=True)
    (tmp_path / "esperanto" / "run" / "config.json").write_text("{}")
    around = cogsym(command, tmp_path / "esperanto")
    assert around.code == 1
    assert f"did you mean {tmp_path / 'esperanto' / 'run'}?" in around.err
    whole = cogsym(command, tiny_base)
    assert whole.code == 1
    assert "is a whole model, not a delta" in whole.err


def test_help_breaks_no_sentence_where_its_docstring_does(cogsym: Callable[..., Any]) -> None:
    for command in ("plan", "card", "publish", "evaluate", "select"):
        lines = [line.strip() for line in cogsym(command, "--help").out.partition("Options")[0].splitlines()]
        for line, following in pairwise(lines):
            first_word = following.split(" ")[0]
            if line and following and not line.startswith("Usage"):
                assert len(line) + 1 + len(first_word) > 78, f"{command}: {line!r} had room for {first_word!r}"
