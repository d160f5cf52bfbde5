"""Suites: test sets by name, from files as their source keeps them, and from data sets on the Hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evaluated_run import make_run

from toolkit.cli.evaluate import SUITES
from toolkit.errors import CorpusError, EvaluationError, RecipeError
from toolkit.evaluation.making import make_tasks
from toolkit.recipe import make_tests, read_tests
from toolkit.test_sets import read_rows
from toolkit.test_sets.suites import all_suites, suite

FLORES = {
    ("eng_Latn", "devtest"): [
        {"id": 2, "text": "the bird"},
        {"id": 1, "text": "the fish"},
        {"id": 4, "text": "-"},
    ],
    ("jav_Latn", "devtest"): [{"id": 1, "text": "iwak"}, {"id": 2, "text": "manuk"}, {"id": 3, "text": "omah"}],
    ("eng_Latn", "dev"): [{"id": number, "text": f"the house {number}"} for number in range(3)],
    ("jav_Latn", "dev"): [{"id": number, "text": f"omah {number}"} for number in range(3)],
}
BELEBELE = {
    "flores_passage": "A bird sits on a stone.",
    "question": "Who sits?",
    **{f"mc_answer{number}": answer for number, answer in enumerate(("fish", "bird", "tree", "road"), start=1)},
    "correct_answer_num": "2",
}
MMLU = {"question": "One and one?", "choices": ["1", "2", "3", "4"], "answer": 1}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data sets with the columns of the real ones, and text of our own."""
    from datasets import Dataset

    def load_dataset(name: str, config: str | None, *, split: str, revision: str | None) -> Any:
        if name == "openlanguagedata/flores_plus":
            return Dataset.from_list(FLORES[str(config), split])
        if name == "facebook/belebele":
            assert (config, split) in (("jav_Latn", "test"), ("eng_Latn", "test"))
            return Dataset.from_list([BELEBELE])
        assert (name, config) == ("cais/mmlu", "all")
        return Dataset.from_list([MMLU | {"question": f"{split} {number}?"} for number in range(6)])

    monkeypatch.setattr("datasets.load_dataset", load_dataset)


def test_the_command_names_every_suite() -> None:
    assert tuple(all_suites()) == SUITES
    assert all(all_suites().values())


@pytest.mark.usefixtures("hub")
def test_flores_joins_the_languages_by_the_id_of_their_sentences() -> None:
    tests = suite("flores", "jav")
    assert [dict(row) for row in read_rows(tests[0], "eng>jav").rows] == [
        {"eng": "the bird", "jav": "manuk"},
        {"eng": "the fish", "jav": "iwak"},
    ]
    into, out_of = (draws[0] for draws in make_tasks(tests, "jav", "lines"))
    assert into.rows[0]["prompt"].count("the house") == 2
    assert (into.dataset, into.test) == ("openlanguagedata/flores_plus", "openlanguagedata-flores-plus_eng_jav")
    assert out_of.rows[0]["reference"] == "the bird"


def test_a_data_set_is_asked_for_a_language_by_its_own_name_for_it() -> None:
    configs = {code: suite("flores", code)[0].configs[code] for code in ("jav", "tgl", "twi")}
    assert configs == {"jav": "jav_Latn", "tgl": "fil_Latn", "twi": "twi_Latn_akua1239"}
    assert [suite("belebele", code)[0].config for code in ("cmn", "tgl")] == ["zho_Hans", "tgl_Latn"]


@pytest.mark.usefixtures("hub")
def test_belebele_and_mmlu_ask_with_letters() -> None:
    own, english = (draws[0] for draws in make_tasks(suite("belebele", "jav"), "jav", "lines"))
    assert (own.direction, own.role, english.direction, english.role) == ("jav", "target", "eng", "known")
    assert own.rows[0]["prompt"].startswith("A bird sits on a stone.\nQuestion: Who sits?\nA. fish\nB. bird\n")
    assert own.rows[0]["gold"] == 1
    (mmlu,) = (draws[0] for draws in make_tasks(suite("mmlu", "jav"), "jav", "lines"))
    assert mmlu.rows[0]["prompt"].count("Question: dev") == 5


def test_a_sentence_that_comes_twice_cannot_be_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Dataset

    rows = Dataset.from_list([{"id": 1, "text": "a"}, {"id": 1, "text": "b"}])
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: rows)
    with pytest.raises(CorpusError, match="eng_Latn, row 2: id 1 comes twice"):
        read_rows(suite("flores", "jav")[0], "eng>jav")


def test_what_a_suite_lacks_is_said() -> None:
    with pytest.raises(EvaluationError, match="no suite is called 'nusa'") as caught:
        suite("nusa", "jav")
    assert "nusax" in (caught.value.hint or "")
    with pytest.raises(EvaluationError, match="the suite m3exam has no sun"):
        suite("m3exam", "sun", Path())
    with pytest.raises(EvaluationError, match=r"the suite nusax needs its files: the folder datasets/"):
        suite("nusax", "jav")


def test_a_file_of_test_sets_alone_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "tests.yaml"
    path.write_text("evaluation:\n  - {path: t.tsv, directions: ['eng>jav']}\n", encoding="utf-8")
    assert read_tests(path)[0].path == str(tmp_path / "t.tsv")
    path.write_text("language: jav\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"tests.yaml names no test set"):
        read_tests(path)
    with pytest.raises(RecipeError, match=r"here: unknown key `evaluation.0.direction`"):
        make_tests([{"path": "t.tsv", "direction": "eng>jav"}], tmp_path, "here")


def test_nusax_is_read_as_its_source_keeps_it(real_data: Path) -> None:
    tasks = [draws[0] for draws in make_tasks(suite("nusax", "jav", real_data / "nusax"), "jav", "alpaca", repeats=2)]
    assert [(task.kind, task.direction, task.role, len(task.rows)) for task in tasks] == [
        ("translation", "eng>jav", "target", 400),
        ("translation", "jav>eng", "target", 400),
        ("translation", "eng>ind", "known", 400),
        ("translation", "ind>eng", "known", 400),
        ("sentiment", "jav", "target", 400),
        ("words", "ind>jav", "target", 477),
        ("words", "jav>ind", "target", len(tasks[-1].rows)),
    ]
    assert tasks[0].shots == 2
    assert max(len(row["accepted"]) for row in tasks[-2].rows) > 1


def test_mgsm_is_read_as_its_source_keeps_it(real_data: Path) -> None:
    tests = suite("mgsm", "deu", real_data / "mgsm")
    tasks = [draws[0] for draws in make_tasks(tests, "deu", "alpaca", limit=20, identifier="lid.176")]
    assert [(task.kind, task.direction, len(task.rows)) for task in tasks] == [("consistency", "deu", 20)] * 4


def test_m3exam_is_read_as_its_source_keeps_it(real_data: Path) -> None:
    ((task,),) = make_tasks(suite("m3exam", "jav", real_data / "m3exam_javanese"), "jav", "alpaca")
    assert len(task.rows) == 371


@pytest.mark.usefixtures("hub")
def test_the_command_evaluates_a_suite(tiny_base: Path, tmp_path: Path, cogsym: Callable[..., Any]) -> None:
    run = make_run(tiny_base, tmp_path / "here")
    outcome = cogsym("evaluate", run.root, "--suite", "belebele", "--suite", "flores", "--limit", "1")
    assert outcome.code == 0, outcome.err
    assert [line for line in outcome.out.splitlines() if "jav multiple choice" in line]
    assert {record.kind for record in run.read_evaluations()} == {"multiple_choice", "translation"}


def test_sentences_that_were_trained_on_stop_an_evaluation_unless_told_otherwise(
    tiny_base: Path, tmp_path: Path, cogsym: Callable[..., Any]
) -> None:
    run = make_run(tiny_base, tmp_path / "here")
    (tmp_path / "t.tsv").write_text("eng\tjav\nA bird sat.\tmanuk\nthe fish\tiwak\n", encoding="utf-8")
    (tmp_path / "tests.yaml").write_text("evaluation: [{path: t.tsv, directions: ['eng>jav']}]", encoding="utf-8")
    recipe = run.recipe.read_text(encoding="utf-8")
    run.recipe.write_text(recipe.replace("data:\n- path", "data:\n- directions: ['eng>jav']\n  path"), encoding="utf-8")
    train = tmp_path / "here" / "train.tsv"
    train.write_text("eng\tjav\tind\na bird sat\tmanuk siji\tburung\nstone\twatu\tbatu\n", encoding="utf-8")

    stopped = cogsym("evaluate", run.root, "--recipe", tmp_path / "tests.yaml")
    assert stopped.code == 1
    said = " ".join(stopped.err.split())
    assert "the test set t shares sentences with 1 rows of the training data (first: train.tsv, line 2)" in said
    assert run.read_evaluations() == []

    told = cogsym("evaluate", run.root, "--recipe", tmp_path / "tests.yaml", "--allow-leak")
    assert told.code == 0, told.err
    assert "t shares sentences with 1 rows of the training data" in " ".join(told.out.split())
    assert all(score.caution for record in run.read_evaluations() for score in record.scores)

    train.unlink()
    assert cogsym("evaluate", run.root, "--recipe", tmp_path / "tests.yaml").code == 0
    cautions = [score.caution for record in run.read_evaluations() for score in record.scores]
    # The tiny model answers in loops, which is said beside it.
    assert {(caution or "").partition("; ")[0] for caution in cautions} == {
        "t was not compared with training data that is not here: train.tsv"
    }


def test_rows_that_were_left_out_are_told_with_their_lines(
    tiny_base: Path, tmp_path: Path, cogsym: Callable[..., Any]
) -> None:
    run = make_run(tiny_base, tmp_path / "here")
    (tmp_path / "t.tsv").write_text("eng\tjav\none\tsiji\none\tsiji\n\ntwo\t\n", encoding="utf-8")
    (tmp_path / "tests.yaml").write_text("evaluation: [{path: t.tsv, directions: ['eng>jav']}]", encoding="utf-8")
    outcome = cogsym("evaluate", run.root, "--recipe", tmp_path / "tests.yaml", "--allow-leak")
    assert outcome.code == 0, outcome.err
    assert "t.tsv: left out 1 x repeated row (first: line 3), 1 x empty side (first: line 5)" in outcome.err
