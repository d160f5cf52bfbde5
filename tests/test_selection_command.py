"""`cogsym select` and `train` with selections that look at weights and text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import WORDS

from toolkit.adaptation import prepare, reopen, train_delta
from toolkit.recipe import read_recipe
from toolkit.records import SelectionInfo
from toolkit.run_folder import RunFolder
from toolkit.selection import METHODS
from toolkit.training import mix

Run = Callable[..., Any]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rows = [f"the {a} is near the {b}\tsi {a} ada di {b}\t{b} cedhak {a}" for a in WORDS for b in WORDS]
    (tmp_path / "rows.tsv").write_text("eng\tind\tjav\n" + "\n".join(rows[:60]) + "\n")
    return tmp_path / "rows.tsv"


@pytest.fixture
def recipe(corpus: Path, tiny_base: Path) -> Path:
    fields = {
        "language": "jav",
        "base": str(tiny_base),
        "select": "fisher:2",
        "select_rows": 6,
        "data": [{"path": corpus.name, "directions": ["eng>jav", "jav>eng"]}],
        "replay": [{"path": corpus.name, "directions": ["eng>ind"]}],
        "prompt": "lines",
        "max_steps": 3,
        "batch_size": 4,
    }
    path = corpus.with_name("recipe.yaml")
    path.write_text(json.dumps(fields))
    return path


def test_the_mixture_keeps_the_sentences_of_each_language(recipe: Path, corpus: Path) -> None:
    texts = mix(read_recipe(recipe)).texts
    assert set(texts) == {"eng", "ind", "jav"}
    assert set(texts["ind"]) == {line.split("\t")[1] for line in corpus.read_text().splitlines()[1:]}


def test_of_instructions_the_answers_are_text_in_the_language(recipe: Path, corpus: Path) -> None:
    rows = [{"instruction": "Say it.", "input": "", "output": "sugeng enjing"}]
    corpus.with_name("alpaca.json").write_text(json.dumps(rows))
    fields = json.loads(recipe.read_text())
    fields["data"].append({"path": "alpaca.json", "kind": "instructions"})
    recipe.write_text(json.dumps(fields))
    assert mix(read_recipe(recipe)).texts["jav"][-1] == "sugeng enjing"


def test_a_ranked_selection_shows_scores_and_is_saved(cogsym: Run, recipe: Path, tmp_path: Path) -> None:
    saved = tmp_path / "found.json"
    outcome = cogsym("select", "--recipe", recipe, "--out", saved)
    assert outcome.code == 0, outcome.err
    assert "fisher: layers" in outcome.out
    assert "rows: 6" in outcome.out
    assert outcome.out.count("█") > 4
    found = SelectionInfo.read(saved)
    assert found.scores is not None
    assert len(found.scores) == 4
    assert cogsym("select", "--recipe", recipe, "--out", saved).code == 1
    assert cogsym("select", "--recipe", recipe, "--out", tmp_path / "no" / "x.json").code == 1


def test_select_and_train_find_the_same(cogsym: Run, recipe: Path, tmp_path: Path) -> None:
    shown = cogsym("select", "--recipe", recipe, "--json")
    outcome = cogsym("train", "--recipe", recipe, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    run = RunFolder(tmp_path / "run")
    selection = SelectionInfo.model_validate_json(shown.out)
    assert selection == run.read_selection() == run.read_training().selection == run.read_config().selection
    changed = {tensor.layer for tensor in run.read_delta_info().tensors} - {None}
    assert changed == set(selection.layers)


def test_a_resumed_run_trains_what_was_found_before(recipe: Path, tmp_path: Path) -> None:
    plan = prepare(read_recipe(recipe), tmp_path / "run")
    train_delta(plan)
    plan.run.config.unlink()  # as if it had been stopped before the delta was made
    other = plan.selection.model_copy(update={"layers": (1,), "parameters": ("model.layers.1.mlp.up_proj.weight",)})
    other.write(plan.run.selection)
    assert prepare(reopen(plan.run.root), plan.run.root, resume=True).selection == other
    plan.run.selection.unlink()
    assert prepare(reopen(plan.run.root), plan.run.root, resume=True).selection == plan.selection


@pytest.mark.parametrize("select", ["neurons-count:2", "subnetwork:1%", "fisher:2"])
def test_bare_files_are_enough_to_rank_by(cogsym: Run, tiny_base: Path, corpus: Path, select: str) -> None:
    options = ("select", "--base", tiny_base, "--select", select, "--data", corpus, "--rows", 5)
    outcome = cogsym(*options, "--language", "jav", "--json")
    assert outcome.code == 0, outcome.err
    evidence = SelectionInfo.model_validate_json(outcome.out).evidence
    assert evidence.get("rows") == 5 or evidence["sentences"] == {"eng": 5, "ind": 5, "jav": 5}
    assert "which language" in cogsym(*options).err


def test_alpha_needs_no_text(cogsym: Run, tiny_base: Path) -> None:
    outcome = cogsym("select", "--base", tiny_base, "--select", "alpha:2", "--json")
    assert len(json.loads(outcome.out)["scores"]) == 4


def test_the_pocket_brings_its_own_text(cogsym: Run) -> None:
    outcome = cogsym("select", "--base", "pocket", "--select", "fisher:25%", "--rows", 3, "--json")
    found = SelectionInfo.model_validate_json(outcome.out)
    assert (len(found.layers), found.evidence["rows"]) == (4, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--select", "fisher:2"), "looks at the text that a run trains on"),
        (("--select", "fisher:2", "--language", "jav", "--data", "gone.tsv"), "no file at gone.tsv"),
        (("--select", "fisher:2", "--language", "sun", "--data", "{corpus}"), "neither sun and another language"),
        (("--select", "fisher:0%"), "not a share"),
        (("--select", "fishing"), "unknown selection"),
    ],
)
def test_what_is_missing_is_named(
    cogsym: Run, tiny_base: Path, corpus: Path, options: tuple[str, ...], message: str
) -> None:
    outcome = cogsym("select", "--base", tiny_base, *(option.format(corpus=corpus) for option in options))
    assert outcome.code == 1
    assert message in " ".join(outcome.err.split())


def test_a_base_or_a_recipe_must_be_given(cogsym: Run) -> None:
    outcome = cogsym("select", "--select", "front:8")
    assert (outcome.code, "which base?" in outcome.err) == (1, True)


def test_a_dry_run_ranks_nothing_but_checks_the_budget(cogsym: Run, recipe: Path) -> None:
    outcome = cogsym("train", "--recipe", recipe, "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "found from the base when the run starts" in outcome.out
    assert json.loads(cogsym("train", "--recipe", recipe, "--dry-run", "--json").out)["selection"] is None
    assert cogsym("train", "--recipe", recipe, "--dry-run", "--select", "fisher:9").code == 1


def test_help_names_every_method(cogsym: Run) -> None:
    text = " ".join(cogsym("select", "--help").out.split())
    assert all(example.partition(":")[0] in text for example in METHODS)
