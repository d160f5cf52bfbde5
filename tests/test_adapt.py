"""`cogsym adapt`: one command from a file of sentences to a finished run, which goes on wherever it was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import WORDS

Run = Callable[..., Any]


def sentences(path: Path, header: str = "english\tbasa jawa", rows: int = 120) -> Path:
    pairs = [f"the {a} is near the {b}\t{b} cedhak {a}" for a in WORDS for b in WORDS if a != b]
    path.write_text("\n".join([header, *pairs[:rows]]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def adapt(cogsym: Run, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`cogsym adapt` on a tiny base in an empty folder, with a few steps."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Any:
        return cogsym("adapt", "--base", tiny_base, "--select", "cogsym:2", "--steps", 2, *arguments)

    return run


def test_one_command_makes_a_run_with_scores_and_a_card_that_can_be_made_again_and_served(
    adapt: Run, cogsym: Run, tmp_path: Path
) -> None:
    data = sentences(tmp_path / "mine.tsv")
    done = adapt("--language", "jav", "--data", data, "--out", "jv", "--yes", "--publish", "./published/tiny-jav")
    assert done.code == 0, done.err
    assert "published to" in done.out
    out = tmp_path / "jv"
    assert (out / "run" / "delta.safetensors").is_file()
    records = [json.loads(path.read_text()) for path in (out / "run" / "records" / "evaluation").glob("*.json")]
    assert {(record["model"], record["direction"]) for record in records} == {
        (model, direction) for model in ("base", "adapted") for direction in ("eng>jav", "jav>eng")
    }
    assert {record["dataset"] for record in records} == {"mine"}
    assert (tmp_path / "published" / "tiny-jav" / "README.md").is_file()
    again = cogsym("train", "--recipe", out / "recipe.yaml", "--out", "again", "--json")
    assert again.code == 0, again.err
    made, first = json.loads(again.out)["delta"], json.loads((out / "run" / "records" / "delta.json").read_text())
    assert made["sha256"] == first["sha256"], "the recipe in the folder says everything"


def test_a_dry_run_shows_the_plan_and_writes_nothing(adapt: Run, tmp_path: Path) -> None:
    data = sentences(tmp_path / "mine.tsv")
    shown = adapt("--language", "jav", "--data", data, "--dry-run")
    assert shown.code == 0, shown.err
    for words in ("24 rows, 96 to learn from", "teaches eng-jav", "of them train", "needs about", "no --replay"):
        assert words in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.tsv"]
    planned = json.loads(adapt("--language", "jav", "--data", data, "--dry-run", "--json").out)
    assert planned["train_rows"] == 96
    assert planned["test_rows"] == 24
    assert planned["recipe"]["max_steps"] == 2


def test_a_dry_run_for_llama_2_needs_neither_its_weights_nor_a_card(cogsym: Run, tmp_path: Path) -> None:
    data = sentences(tmp_path / "mine.tsv")
    base = "meta-llama/Llama-2-7b-hf"
    command = ("adapt", "--language", "jav", "--data", data, "--base", base, "--card", 32, "--dry-run", "--json")
    planned = json.loads(cogsym(*command).out)
    recipe = planned["recipe"]
    assert recipe["base_revision"], "a base that the toolkit's recipes pin is pinned"
    assert recipe["optimizer"] == "adamw_8bit"
    assert recipe["epochs"] == 3
    assert recipe["evaluation"][0]["shots"] == 2
    assert planned["selection"]["layers"] == [0, 1, 2, 3, 28, 29, 30, 31]
    assert planned["fits"]


def test_saying_no_leaves_nothing(adapt: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    data = sentences(tmp_path / "mine.tsv")
    refused = adapt("--language", "jav", "--data", data, "--out", "jv")
    assert refused.code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.tsv"]


@pytest.mark.parametrize("stage", ["train", "evaluate", "card"])
def test_it_goes_on_where_it_was_stopped(
    adapt: Run, cogsym: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    from toolkit.errors import TrainingStopped

    def stop(*_: Any, **__: Any) -> Any:
        raise TrainingStopped("stopped at step 1 of 2", "`cogsym train --resume RUN` goes on from there")

    place = {
        "train": "toolkit.training.train",
        "evaluate": "toolkit.evaluation.evaluate",
        "card": "hub_cards.write_card",
    }[stage]
    data = sentences(tmp_path / "mine.tsv")
    with monkeypatch.context() as patch:
        patch.setattr(place, stop)
        stopped = adapt("--language", "jav", "--data", data, "--out", "jv", "--yes")
    assert stopped.code == 1
    if stage == "train":
        assert "cogsym adapt --resume jv" in stopped.err
    data.unlink()  # all that is needed is in the folder
    trained = tmp_path / "jv" / "run" / "records" / "training.json"
    before = trained.read_bytes() if stage != "train" else None
    done = cogsym("adapt", "--resume", "jv")
    assert done.code == 0, done.err
    assert (tmp_path / "jv" / "run" / "README.md").is_file()
    assert before is None or trained.read_bytes() == before, "what was done is not done again"
    again = cogsym("adapt", "--resume", "jv")
    assert (again.code, again.out) == (0, done.out)
    assert "nothing left to do in jv" in again.err
    assert "Evaluate" not in again.err


def test_a_language_of_ones_own_is_learnt_and_travels(
    adapt: Run, forget_languages: Callable[[], None], tmp_path: Path
) -> None:
    language = {"code": "epo", "script": "Latn", "names": {"english": "Esperanto", "own": "Esperanto"}}
    language |= {"contributors": [{"name": "Ana Example", "roles": ["data"]}]}
    (tmp_path / "epo.yaml").write_text(json.dumps(language))
    incomplete = adapt("--language", "epo", "--data", tmp_path / "mine.tsv", "--out", "eo", "--yes")
    assert "iso639_1: it is missing" in incomplete.err, "what publishing would refuse is told before training"
    (tmp_path / "epo.yaml").write_text(json.dumps(language | {"iso639_1": "eo"}))
    forget_languages()
    data = sentences(tmp_path / "mine.tsv", header="english\tesperanto")
    done = adapt("--language", "epo", "--data", data, "--out", "eo", "--yes", "--publish", "./published/epo")
    assert done.code == 0, done.err
    assert (tmp_path / "eo" / "languages" / "epo.yaml").is_file()
    assert (tmp_path / "published" / "epo" / "languages" / "epo.yaml").is_file()
    assert "Ana Example" in (tmp_path / "published" / "epo" / "README.md").read_text(encoding="utf-8")


def test_replay_files_of_one_name_are_measured_apart(adapt: Run, tmp_path: Path) -> None:
    replays = []
    for folder, verb in (("one", "and"), ("two", "or")):
        (tmp_path / folder).mkdir()
        replays += ["--replay", tmp_path / folder / "known.tsv"]
        rows = [f"a {a} {verb} a {b}\tsebuah {b} {folder} {a}" for a in WORDS for b in WORDS if a < b]
        replays[-1].write_text("\n".join(["eng\tind", *rows]) + "\n")
    done = adapt(
        "--language", "jav", "--data", sentences(tmp_path / "m.tsv"), *replays, "--out", "jv", "--yes", "--json"
    )
    assert done.code == 0, done.err
    assert {record["dataset"] for record in json.loads(done.out)["evaluation"]} == {"m", "known 1", "known 2"}


def test_a_first_row_that_is_broken_is_dropped_like_any_other(adapt: Run, tmp_path: Path) -> None:
    data = sentences(tmp_path / "mine.tsv")
    lines = data.read_text().splitlines()
    lines[1] += "\tone too many"
    data.write_text("\n".join(lines) + "\n")
    assert adapt("--language", "jav", "--data", data, "--dry-run", "--drop-bad-rows").code == 0
    refused = adapt("--language", "jav", "--data", data, "--dry-run")
    assert refused.code == 1
    assert "line 2" in refused.err


def test_another_card_is_only_planned_for(adapt: Run, tmp_path: Path) -> None:
    data = sentences(tmp_path / "mine.tsv")
    refused = adapt("--language", "jav", "--data", data, "--card", 24, "--out", "jv", "--yes")
    assert refused.code == 1
    assert "--dry-run" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.tsv"]


def test_the_report_that_a_draft_points_to_is_made_by_the_command_it_names(cogsym: Run, tmp_path: Path) -> None:
    import shlex

    from toolkit.auditing import audit
    from toolkit.cli.adapt import _report_command
    from toolkit.from_corpus import Wish

    (tmp_path / "a b").mkdir()
    data = sentences(tmp_path / "a b" / "mine.tsv", header="in English\tbasa jawa")
    columns = {"eng": "in English", "jav": "basa jawa"}
    found = audit(data, ["jav", "eng"], columns=columns)
    told = _report_command(found, Wish("jav", (data,), columns=columns))
    program, *arguments = shlex.split(told)
    report = tmp_path / "r.html"
    done = cogsym(*[str(report) if each == "report.html" else each for each in arguments])
    assert (program, done.code) == ("cogsym", 0), done.err
    assert report.stat().st_size > 1000


def test_a_file_without_a_header_is_learnt_from_where_its_columns_are_named(
    adapt: Run, cogsym: Run, tmp_path: Path
) -> None:
    data = sentences(tmp_path / "mine.tsv", header="What is it?\tApa iku?")
    shown = adapt("--language", "jv", "--data", data, "--header", "eng,jav", "--dry-run", "--json")
    assert shown.code == 0, shown.err
    planned = json.loads(shown.out)
    assert planned["recipe"]["language"] == "jav", "the code that people type is the one that it has here"
    assert planned["train_rows"] + planned["test_rows"] == 121, "the first line is a row"


def test_text_to_replay_may_be_in_any_language(adapt: Run, tmp_path: Path) -> None:
    data, known = sentences(tmp_path / "mine.tsv"), tmp_path / "known.txt"
    known.write_text("".join(f"sebuah {a} dan {b}\n" for a in WORDS for b in WORDS))
    for written, language in ((f"ind={known}", "ind"), (str(known), "eng")):
        shown = adapt("--language", "jav", "--data", data, "--replay", written, "--dry-run", "--json")
        assert shown.code == 0, shown.err
        (source,) = json.loads(shown.out)["recipe"]["replay"]
        assert (source["language"], source["kind"]) == (language, "text")
    refused = adapt("--language", "jav", "--data", data, "--replay", f"indo={known}", "--dry-run")
    assert (refused.code, "indo" in refused.err) == (1, True)


def test_known_languages_are_replayed_and_measured(adapt: Run, tmp_path: Path) -> None:
    data = sentences(tmp_path / "mine.tsv")
    known = tmp_path / "known.tsv"
    rows = [f"a {a} and a {b}\tsebuah {b} dan {a}" for a in WORDS for b in WORDS if a < b]
    known.write_text("\n".join(["eng\tind", *rows]) + "\n")
    done = adapt("--language", "jav", "--data", data, "--replay", known, "--out", "jv", "--yes", "--json")
    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert {source["role"] for source in made["training"]["data"]} == {"target", "replay"}
    assert {record["role"] for record in made["evaluation"]} == {"target", "known"}
    paths = [source["path"] for part in ("data", "replay", "evaluation") for source in made["training"]["recipe"][part]]
    assert len(set(paths)) == 4, "all of them can lie beside the recipe"
    facts = json.loads((tmp_path / "jv" / "run" / "records" / "card.json").read_text())
    assert [source["name"] for source in facts["training"]["data"]] == ["train.tsv", "known-1-train.tsv"] == paths[:2]
    card = (tmp_path / "jv" / "run" / "README.md").read_text()
    assert "| `known-1-train.tsv` | keeps a known one, parallel |" in card
    assert str(tmp_path) not in card


@pytest.mark.parametrize(
    ("header", "options", "wanted"),
    [
        ("english\tjavanese", (), {"eng": "english", "jav": "javanese"}),
        ("en\tjv", (), {"eng": "en", "jav": "jv"}),
        ("a\tb", ("--columns", "eng=a,jav=b"), {"eng": "a", "jav": "b"}),
        ("Indonesian\tjav", ("--force",), {"ind": "Indonesian", "jav": "jav"}),
    ],
)
def test_columns_are_found_by_the_names_of_languages(
    adapt: Run, tmp_path: Path, header: str, options: tuple[str, ...], wanted: dict[str, str]
) -> None:
    data = sentences(tmp_path / "mine.tsv", header=header)
    shown = adapt("--language", "jav", "--data", data, "--dry-run", "--json", *options)
    assert shown.code == 0, shown.err
    directions = json.loads(shown.out)["recipe"]["data"][0]["directions"]
    assert {code for direction in directions for code in direction.split(">")} == set(wanted)


@pytest.mark.parametrize(
    ("header", "options", "said"),
    [
        ("english\tx", (), "There is no column for jav"),
        ("x\tjav", (), "There is no column for eng"),
        ("eng\tjav", ("--with", "ind"), "There is no column for ind"),
        ("eng\tjav", ("--columns", "jav=nowhere"), "There is no column 'nowhere'"),
        ("eng\tjav", ("--columns", "jav"), "write CODE=COLUMN"),
        ("eng\tjav", ("--language", "nepali"), "did you mean 'npi'?"),
        (
            "eng\tjav",
            ("--language", "hil"),
            "hil is Hiligaynon, which the toolkit does not know yet: `cogsym languages",
        ),
        ("What is it?\tApa iku?", (), "--header eng,ban"),
        ("eng\tjav", ("--base", "nowhere"), "no base model at 'nowhere'"),
        ("eng\tjav", ("--test", "nowhere.tsv"), "no file at nowhere.tsv"),
        ("eng\tjav", ("--publish", "nowhere"), "'nowhere' is neither a Hub repository nor a folder"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_written(
    adapt: Run, tmp_path: Path, header: str, options: tuple[str, ...], said: str
) -> None:
    data = sentences(tmp_path / "mine.tsv", header=header)
    refused = adapt("--language", "jav", "--data", data, "--out", "jv", "--yes", *options)
    assert refused.code == 1
    assert said in refused.err
    assert "Traceback" not in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.tsv"]


def test_text_alone_needs_a_test_set_and_takes_one(adapt: Run, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("".join(f"{a} cedhak {b} lan {a}\n" for a in WORDS for b in WORDS))
    refused = adapt("--language", "jav", "--data", text, "--out", "jv", "--yes")
    assert refused.code == 1
    assert "--test FILE" in refused.err
    own = sentences(tmp_path / "own.tsv")
    shown = adapt("--language", "jav", "--data", text, "--test", own, "--dry-run", "--json")
    assert shown.code == 0, shown.err
    assert json.loads(shown.out)["recipe"]["evaluation"][0]["name"] == "own"


def test_what_stops_training_is_told_with_its_lines_and_what_drops_rows_goes_on(adapt: Run, tmp_path: Path) -> None:
    data = sentences(tmp_path / "mine.tsv")
    lines = data.read_text().splitlines()
    lines[5] += "\tone too many"
    lines[9] = "the cup is here\t"
    data.write_text("\n".join(lines) + "\n")
    refused = adapt("--language", "jav", "--data", data, "--dry-run")
    assert refused.code == 1
    assert "mine.tsv" in refused.err
    assert "line 6" in refused.err
    shown = adapt("--language", "jav", "--data", data, "--dry-run", "--drop-bad-rows")
    assert shown.code == 0, shown.err
    told = next(line for line in shown.err.splitlines() if "without text in jav" in line)
    assert ("left out" in told, "line 10" in told) == (True, True)
    assert "118 of them usable" in shown.err


def test_another_language_stops_unless_a_person_knows_better(adapt: Run, tmp_path: Path) -> None:
    data = sentences(tmp_path / "mine.tsv", header="javanese\tenglish")
    refused = adapt("--language", "jav", "--data", data, "--dry-run")
    assert refused.code == 1
    assert "javanese" in refused.err.lower()
    assert adapt("--language", "jav", "--data", data, "--dry-run", "--force").code == 0


def test_rows_that_are_in_a_test_set_of_ones_own_are_left_out(adapt: Run, tmp_path: Path) -> None:
    data, own = sentences(tmp_path / "my.tsv"), tmp_path / "own.tsv"
    lines = data.read_text(encoding="utf-8").splitlines()
    own.write_text("\n".join([lines[0], *lines[1:4], "a new one\tsing anyar"]) + "\n", encoding="utf-8")
    shown = adapt("--language", "jav", "--data", data, "--test", own, "--dry-run", "--json")
    assert shown.code == 0, shown.err
    planned = json.loads(shown.out)
    (leaked,) = [finding for finding in planned["audits"][0]["findings"] if finding["code"] == "leaked"]
    assert (leaked["severity"], leaked["count"]) == ("drop", 3)
    assert planned["train_rows"] == len(lines) - 1 - 3
