"""COMET in an evaluation: what it judges, what is kept, and that its absence loses nothing. It is a stand-in here."""

from __future__ import annotations

import json
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comet_environments import FAKE, fake_checkpoint, fake_environment
from evaluated_run import change_test_set, make_run

from toolkit import pretrained
from toolkit.errors import EvaluationError
from toolkit.evaluation import comparison_table, evaluate, runner
from toolkit.evaluation.evaluated import _caution
from toolkit.evaluation.table import cells
from toolkit.records import EvaluationRecord
from toolkit.run_folder import RunFolder


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COGSYM_COMET_HOME", str(fake_environment(tmp_path / "environment")))
    return tmp_path / "environment"


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(fake_checkpoint(tmp_path / "comet-model", "counted"))


@pytest.fixture
def run(tiny_base: Path, tmp_path: Path) -> RunFolder:
    made = make_run(tiny_base, tmp_path / "here")
    change_test_set(made, directions=["eng>jav"])
    return made


def value_of(sample: dict[str, str]) -> float:
    if str(FAKE) not in sys.path:
        sys.path.append(str(FAKE))
    import comet  # type: ignore[import-not-found]

    return float(comet.value_of(sample["source"], sample["hypothesis"], sample["reference"]))


def samples(run: RunFolder, record: EvaluationRecord) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.samples / record.samples[0]).read_text(encoding="utf-8").splitlines()]


def test_comet_judges_every_sentence_and_its_values_are_kept(run: RunFolder, model: str) -> None:
    told: list[tuple[str, int]] = []
    records = evaluate(run, comet=model, report_judging=lambda words, number: told.append((words, number)))
    for record in records:
        kept = samples(run, record)
        assert [sample["COMET"] for sample in kept] == [value_of(sample) for sample in kept]
        score = record.score("COMET")
        assert score is not None
        assert score.value == pytest.approx(sum(sample["COMET"] for sample in kept) / 12, rel=1e-12)
        assert score.signature == f"{record.judged['COMET']}|bs:1000|seed:12345"
        assert (score.p_value is None) == (record.model == "base")
        assert [each.metric for each in record.scores] == ["chrF++", "BLEU", "COMET"]
    assert sum(number for _, number in told) == 24
    assert (Path(model) / "checkpoints" / "loads").read_text() == "once\n"


def test_comet_begins_once_the_model_has_left_the_card(
    run: RunFolder, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    loaded: list[weakref.ref[Any]] = []
    emptied: list[bool] = []  # whether the model was gone by then
    judged: list[list[bool]] = []
    load, judge = pretrained.load_base, runner.judge_by_comet

    def loads(*args: Any, **words: Any) -> Any:
        found = load(*args, **words)
        loaded.append(weakref.ref(found[0]))
        return found

    def judges(*args: Any) -> None:
        judged.append([*emptied])
        judge(*args)

    monkeypatch.setattr(pretrained, "load_base", loads)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(loaded[0]() is None))
    monkeypatch.setattr(runner, "judge_by_comet", judges)
    evaluate(run, comet=model)
    assert judged == [[True]]


def test_what_comet_has_judged_stays_and_is_not_judged_again(run: RunFolder, model: str, tmp_path: Path) -> None:
    first = evaluate(run, comet=model)
    assert evaluate(run) == first
    assert evaluate(run, comet=model) == first
    assert (Path(model) / "checkpoints" / "loads").read_text() == "once\n"
    other = fake_checkpoint(tmp_path / "another")
    again = evaluate(run, comet=str(other))
    assert "model:another" in again[0].judged["COMET"]


def test_the_bases_judgement_is_taken_over_with_its_answers(
    run: RunFolder, model: str, tiny_base: Path, tmp_path: Path
) -> None:
    first = evaluate(run, comet=model)
    other = make_run(tiny_base, tmp_path / "other", path=str(tmp_path / "here" / "held-out.tsv"))
    change_test_set(other, directions=["eng>jav"])
    assert evaluate(other, reuse=run)[0].score("COMET") == first[0].score("COMET")


@pytest.mark.parametrize("state", ["not installed", "no model", "killed"])
def test_without_comet_all_other_scores_are_kept(
    run: RunFolder, tmp_path: Path, environment: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    model = str(fake_checkpoint(tmp_path / "broken", "killed"))
    if state == "not installed":
        monkeypatch.setenv("COGSYM_COMET_HOME", str(tmp_path / "nothing"))
    elif state == "no model":
        model = "org/absent"
    with pytest.raises(EvaluationError, match="all other scores are kept") as caught:
        evaluate(run, comet=model)
    assert caught.value.hint
    records = run.read_evaluations()
    assert [[score.metric for score in record.scores] for record in records] == [["chrF++", "BLEU"]] * 2


def test_a_language_that_comet_never_read_is_flagged(run: RunFolder, model: str) -> None:
    assert _caution("COMET-22", "eng>jav") is None
    caution = _caution("COMET-22", "eng>nij")
    assert caution == "COMET-22 of eng>nij is unreliable: its encoder was not trained on Ngaju"
    cautions = [score.caution or "" for record in evaluate(run, comet=model) for score in record.scores]
    assert not any("unreliable" in said for said in cautions)


def test_comet_has_a_row_of_its_own_with_four_decimals(run: RunFolder, model: str) -> None:
    _, lines = cells(comparison_table(evaluate(run, comet=model)))
    assert [line[3] for line in lines] == ["chrF++", "BLEU", "COMET"]
    assert len(lines[2][4].split(" ")[0].partition(".")[2]) == 4


def test_the_command_uses_comet_where_it_is_installed(
    run: RunFolder, model: str, cogsym: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.evaluation.comet.DEFAULT_MODEL", model)
    outcome = cogsym("evaluate", run.root)
    assert outcome.code == 0, outcome.err
    assert "COMET" in outcome.out
    assert "COMET" not in cogsym("evaluate", run.root, "--no-comet", "--again").out
