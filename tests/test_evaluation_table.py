"""The comparison table, and the two commands that print it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evaluated_run import make_run, write_pairs

from toolkit.errors import EvaluationError
from toolkit.evaluation import comparison_table
from toolkit.evaluation.table import as_csv, as_latex, as_markdown, cells, models_of
from toolkit.records import EvaluationRecord, Score
from toolkit.run_folder import RunFolder


def record(model: str, direction: str = "eng>jav", *, role: str = "target", n: int = 200, **scores: Any) -> Any:
    task = f"test_{direction.replace('>', '_')}"
    return EvaluationRecord(
        task=task,
        model=model,
        direction=direction,
        role=role,  # type: ignore[arg-type]
        dataset="test",
        data_fingerprint=f"{n:064d}",
        n=n,
        shots=0,
        seeds=(0,),
        prompts_sha256=("0" * 64,),
        prompt="lines",
        example_prompt="English: a\nJavanese:",
        decoding={},
        scores=tuple(
            Score(metric=metric, value=value, low=value - 2, high=value + 2, p_value=p_value, signature=f"{metric}|v:1")
            for metric, (value, p_value) in scores.items()
        ),
        base_fingerprint="b" * 64,
        seconds=1.0,
        versions={},
    )


@pytest.fixture
def records() -> list[EvaluationRecord]:
    return [
        record("base", "eng>ind", role="known", BLEU=(90.0, None)),
        record("adapted", "eng>ind", role="known", BLEU=(89.5, 0.4)),
        record("base", BLEU=(10.0, None)),
        record("adapted", BLEU=(60.25, 0.001)),
    ]


def test_target_directions_come_first_and_models_stand_side_by_side(records: list[EvaluationRecord]) -> None:
    target, known = comparison_table(records)
    assert (target.direction, known.direction) == ("eng>jav", "eng>ind")
    assert target.change("adapted") == 50.2
    assert (target.is_noise("adapted"), known.is_noise("adapted")) == (False, True)
    assert target.change("base") is None
    assert models_of([target, known]) == ["base", "adapted"]


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [(3.149, 8.451, "+5.4"), (3.14, 81.449, "+78.3"), (8.451, 3.149, "-5.4"), (8.44, 8.36, "+0.0")],
)
def test_a_change_is_what_a_reader_finds_who_subtracts_the_numbers_shown(
    before: float, after: float, change: str
) -> None:
    rows = comparison_table([record("base", BLEU=(before, None)), record("adapted", BLEU=(after, 0.001))])
    *_, base, adapted, shown = cells(rows)[1][0]
    assert (base.split()[0], adapted.split()[0], shown) == (f"{before:.1f}", f"{after:.1f}", change)


def test_other_sentences_are_another_row(records: list[EvaluationRecord]) -> None:
    rows = comparison_table([*records, record("adapted", n=50, BLEU=(61.0, None))])
    assert [(row.n, sorted(row.scores)) for row in rows if row.role == "target"] == [
        (200, ["adapted", "base"]),
        (50, ["adapted"]),
    ]
    assert rows[1].change("adapted") is None


def test_records_that_contradict_each_other_are_refused(records: list[EvaluationRecord]) -> None:
    with pytest.raises(EvaluationError, match=r"two records of 'base' on test_eng_jav disagree: BLEU 10.00 and 11.00"):
        comparison_table([*records, record("base", BLEU=(11.0, None))])


def test_markdown_marks_noise_and_says_what_was_not_measured(records: list[EvaluationRecord]) -> None:
    text = as_markdown(comparison_table([*records, record("front", BLEU=(30.0, 0.01))]))
    assert text.splitlines() == [
        "| test set | n | what | metric | base | adapted | front | change adapted | change front |",
        "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
        "| test | 200 | eng>jav | BLEU | 10.0 [8.0, 12.0] | 60.2 [58.2, 62.2] | 30.0 [28.0, 32.0] | +50.2 | +20.0 |",
        "| test | 200 | eng>ind | BLEU | 90.0 [88.0, 92.0] | 89.5 [87.5, 91.5] | not measured |"
        " \\~-0.5 | not measured |",
    ]


def test_latex_escapes_what_latex_would_read_as_commands() -> None:
    text = as_latex(comparison_table([record("50%_of#x&y", BLEU=(1.0, None))]))
    assert r"50\%\_of\#x\&y" in text
    assert "eng$>$jav" in text
    assert text.startswith(r"\begin{tabular}{llllr}")


def test_csv_has_a_line_per_score_with_its_signature(records: list[EvaluationRecord]) -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(comparison_table(records)))))
    assert [(line["model"], line["direction"], float(line["value"])) for line in lines] == [
        ("base", "eng>jav", 10.0),
        ("adapted", "eng>jav", 60.25),
        ("base", "eng>ind", 90.0),
        ("adapted", "eng>ind", 89.5),
    ]
    assert lines[1]["signature"] == "BLEU|v:1"
    assert (lines[0]["p_value"], lines[1]["p_value"]) == ("", "0.001")


@pytest.fixture
def runs(tmp_path: Path, records: list[EvaluationRecord]) -> tuple[Path, Path]:
    for name, gain in (("first", 0.0), ("second", 5.0)):
        for each in records:
            scores = tuple(
                score if each.model == "base" else score.model_copy(update={"value": score.value + gain})
                for score in each.scores
            )
            changed = each.model_copy(update={"scores": scores})
            changed.write(RunFolder(tmp_path / name).evaluation_records / f"{each.task}.{each.model}.json")
    return tmp_path / "first", tmp_path / "second"


def test_several_runs_share_the_base_and_keep_their_names(cogsym: Callable[..., Any], runs: tuple[Path, Path]) -> None:
    outcome = cogsym("table", *runs, "--json")
    assert outcome.code == 0
    rows = json.loads(outcome.out)
    assert list(rows[0]["scores"]) == ["base", "first", "second"]
    assert rows[0]["scores"]["second"]["value"] == 65.25


@pytest.mark.parametrize("form", ["terminal", "markdown", "csv", "latex", "json"])
def test_every_format_is_printed_to_stdout(cogsym: Callable[..., Any], runs: tuple[Path, Path], form: str) -> None:
    outcome = cogsym("table", runs[0], "--format", form)
    assert (outcome.code, outcome.err) == (0, "")
    assert "60.2" in outcome.out
    assert "BLEU|v:1" in outcome.out or form in ("markdown", "latex")


def test_a_run_that_was_not_evaluated_is_an_error(cogsym: Callable[..., Any], tmp_path: Path) -> None:
    outcome = cogsym("table", tmp_path)
    assert outcome.code == 1
    assert "holds no evaluation" in outcome.err
    assert "hint: make one: cogsym evaluate" in outcome.err


def test_two_runs_of_one_name_are_an_error(cogsym: Callable[..., Any], runs: tuple[Path, Path]) -> None:
    outcome = cogsym("table", runs[0], runs[0])
    assert outcome.code == 1
    assert "error: two runs are called 'first'" in outcome.err


def test_runs_in_the_folders_that_commands_make_are_called_by_those(
    cogsym: Callable[..., Any], runs: tuple[Path, Path], tmp_path: Path
) -> None:
    made = [tmp_path / name / "run" for name in ("demo", "esperanto")]
    for run, place in zip(runs, made, strict=True):
        shutil.copytree(run, place)
    outcome = cogsym("table", *made, "--format", "csv")
    assert outcome.code == 0, outcome.err
    assert "demo" in outcome.out
    assert "esperanto" in outcome.out
    assert [RunFolder(run).name for run in (*runs, *made)] == ["first", "second", "demo", "esperanto"]


def test_evaluate_prints_records_as_json(cogsym: Callable[..., Any], tiny_base: Path, tmp_path: Path) -> None:
    run = make_run(tiny_base, tmp_path / "here", directions=["eng>jav"])
    outcome = cogsym("evaluate", run.root, "--limit", 4, "--json", "--batch-size", 3)
    assert outcome.code == 0, outcome.err
    printed = json.loads(outcome.out)
    assert [(each["model"], each["n"], each["decoding"]["batch_size"]) for each in printed] == [
        ("base", 4, 3),
        ("adapted", 4, 3),
    ]
    assert "Running generate_until" not in outcome.err
    table = cogsym("evaluate", run.root, "--limit", 4)
    assert "chrF++" in table.out
    assert "nrefs:1" in table.out


def test_a_recipe_beside_the_delta_names_the_test_sets(
    cogsym: Callable[..., Any], tiny_base: Path, tmp_path: Path
) -> None:
    run = make_run(tiny_base, tmp_path / "here")
    moved = run.recipe.rename(tmp_path / "tests.yaml")
    write_pairs(tmp_path / "other.tsv", count=3)
    text = moved.read_text(encoding="utf-8").replace(str(tmp_path / "here" / "held-out.tsv"), "other.tsv")
    moved.write_text(text.replace("prompt: lines", "prompt: alpaca"), encoding="utf-8")
    outcome = cogsym("evaluate", run.root, "--recipe", moved, "--base", tiny_base, "--json")
    assert outcome.code == 0, outcome.err
    # Another recipe brings other sentences, but not another wording than the delta was trained on.
    assert {(each["n"], each["prompt"]) for each in json.loads(outcome.out)} == {(3, "lines")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--limit", "0"], "limit 0 leaves nothing to score"),
        (["--base", "no/such/folder"], "no base model at"),
        (["--recipe", "nowhere.yaml"], "no recipe at"),
    ],
)
def test_bad_options_are_one_line_errors_with_a_hint(
    cogsym: Callable[..., Any], tiny_base: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    run = make_run(tiny_base, tmp_path / "here")
    outcome = cogsym("evaluate", run.root, *options)
    assert outcome.code == 1
    assert message in outcome.err.replace("\n", " ")
    assert "hint: " in outcome.err
    assert "Traceback" not in outcome.err


def test_a_missing_test_set_is_an_error_that_names_it(
    cogsym: Callable[..., Any], tiny_base: Path, tmp_path: Path
) -> None:
    run = make_run(tiny_base, tmp_path / "here")
    (tmp_path / "here" / "held-out.tsv").unlink()
    outcome = cogsym("evaluate", run.root)
    assert outcome.code == 1
    assert "error: test set for eng>jav: no file at" in outcome.err
    assert not run.tasks.exists()


def test_a_folder_without_a_delta_is_an_error(cogsym: Callable[..., Any], tmp_path: Path) -> None:
    outcome = cogsym("evaluate", tmp_path / "nothing")
    assert outcome.code == 1
    assert "error: " in outcome.err
    assert "hint: " in outcome.err
