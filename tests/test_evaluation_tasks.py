"""Tasks: what is asked, and the lm-eval files it is asked from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from evaluated_run import make_recipe_for, write_pairs

from toolkit.errors import CogsymError, CorpusError, EvaluationError, LanguageError
from toolkit.evaluation.asking import Write
from toolkit.evaluation.making import make_tasks
from toolkit.evaluation.task import Task, write_tasks
from toolkit.languages import get_language
from toolkit.prompts import ALPACA, LINES
from toolkit.recipe import Recipe


def tasks_of(recipe: Recipe, **options: Any) -> list[Task]:
    """The first draw of every task."""
    made = make_tasks(recipe.evaluation, recipe.language, recipe.prompt, **options)
    return [draws[0] for draws in made]


def with_tests(recipe: Recipe, **fields: object) -> Recipe:
    return recipe.model_copy(update=fields)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return make_recipe_for(tmp_path, tmp_path)


def test_each_direction_is_a_task_and_the_rest_of_the_languages_is_a_regression_check(recipe: Recipe) -> None:
    tasks = tasks_of(recipe)
    assert [(task.name, task.role, len(task.rows)) for task in tasks] == [
        ("held-out_eng_jav", "target", 12),
        ("held-out_jav_eng", "target", 12),
        ("held-out_eng_ind", "known", 12),
    ]


def test_prompts_are_worded_by_the_template_that_training_uses(recipe: Recipe) -> None:
    row = tasks_of(recipe)[1].rows[0]
    english, javanese = get_language("eng"), get_language("jav")
    assert row["prompt"] == LINES.translate(row["source"], javanese, english)
    alpaca = tasks_of(with_tests(recipe, prompt="alpaca"))[0]
    assert alpaca.rows[0]["prompt"] == ALPACA.translate(alpaca.rows[0]["source"], english, javanese)
    assert alpaca.asks == Write(ALPACA.stop, 24)
    assert alpaca.wording == "alpaca"


def test_a_limit_takes_the_first_sentences_and_the_smaller_of_two_counts(tmp_path: Path) -> None:
    recipe = make_recipe_for(tmp_path, tmp_path, limit=5)
    assert [len(task.rows) for task in tasks_of(recipe, limit=9)] == [5, 5, 5]
    few, all_ = tasks_of(recipe, limit=3)[0], tasks_of(recipe)[0]
    assert few.rows == all_.rows[:3]
    assert few.fingerprint != all_.fingerprint


def test_worked_examples_never_show_a_sentence_of_the_test_set(tmp_path: Path) -> None:
    shots = write_pairs(tmp_path / "shots.tsv", count=16)  # the first 12 are the test set
    recipe = make_recipe_for(tmp_path, tmp_path, shots=2, shots_path=str(shots))
    for seed in range(6):
        for task in tasks_of(recipe, seed=seed):
            tested = {row["source"] for row in task.rows}
            *examples, asked = task.rows[0]["prompt"].split("\n\n")
            assert len(examples) == 2
            assert tested.isdisjoint(example.split(": ", 1)[1].split("\n")[0] for example in examples)
            assert task.rows[0]["source"] in asked
            assert all(row["prompt"].startswith("\n\n".join(examples)) for row in task.rows)


def test_other_seeds_draw_other_examples(tmp_path: Path) -> None:
    shots = write_pairs(tmp_path / "shots.tsv", first=100, count=40)
    recipe = make_recipe_for(tmp_path, tmp_path, shots=2, shots_path=str(shots))
    prompts = {tasks_of(recipe, seed=seed)[0].rows[0]["prompt"] for seed in range(4)}
    assert len(prompts) == 4
    assert tasks_of(recipe, seed=1)[0].rows == tasks_of(recipe, seed=1)[0].rows


def test_too_few_examples_are_an_error(tmp_path: Path) -> None:
    shots = write_pairs(tmp_path / "shots.tsv", count=13)
    recipe = make_recipe_for(tmp_path, tmp_path, shots=2, shots_path=str(shots))
    with pytest.raises(EvaluationError, match=r"shots.tsv holds 1 rows outside the test set, but 2 examples"):
        tasks_of(recipe)


def test_lm_eval_reads_the_written_task_and_builds_the_same_prompts(recipe: Recipe, tmp_path: Path) -> None:
    from lm_eval.tasks import TaskManager

    tasks = tasks_of(recipe)
    write_tasks(tasks, tmp_path / "tasks")
    manager = TaskManager(include_path=str(tmp_path / "tasks"), include_defaults=False)
    assert manager.all_tasks == sorted(task.name for task in tasks)
    for task in tasks:
        theirs = manager.load([task.name])["tasks"][task.name]
        theirs.build_all_requests(rank=0, world_size=1)
        asked = [request.args for request in theirs.instances]
        assert [prompt for prompt, _ in asked] == [row["prompt"] for row in task.rows]
        assert asked[0][1] == {"until": ["\n"], "max_gen_toks": 24, "do_sample": False}
        right = [theirs.doc_to_target(document) for document in theirs.eval_docs]
        assert right == [row["reference"] for row in task.rows]


def test_written_tasks_hold_no_path_of_this_machine(recipe: Recipe, tmp_path: Path) -> None:
    write_tasks(tasks_of(recipe), tmp_path / "tasks")
    for path in (tmp_path / "tasks").iterdir():
        assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_odd_text_survives_the_way_through_the_task_files(tmp_path: Path) -> None:
    odd = "{{source}} {% x %} </s> \u2028 \x85 \\n \"quoted\" 'x' #! & 100%"
    (tmp_path / "odd.tsv").write_text(f"eng\tjav\n{odd}\tꦲꦏ꧀ꦱꦫ, {odd}\n", encoding="utf-8")
    recipe = make_recipe_for(tmp_path, tmp_path, path=str(tmp_path / "odd.tsv"), directions=["eng>jav"])
    (task,) = tasks_of(recipe)
    write_tasks([task], tmp_path / "tasks")
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(tmp_path / "tasks"), include_defaults=False)
    theirs = manager.load([task.name])["tasks"][task.name]
    assert list(theirs.eval_docs) == list(task.rows)
    assert theirs.fewshot_context(theirs.eval_docs[0], num_fewshot=0) == task.rows[0]["prompt"]
    assert "{% x %} </s>" in task.rows[0]["prompt"]


def test_a_name_with_spaces_and_commas_becomes_a_plain_task_name(tmp_path: Path) -> None:
    recipe = make_recipe_for(tmp_path, tmp_path, name="My test, part 1*")
    task = tasks_of(recipe)[0]
    assert task.name == "My-test-part-1_eng_jav"
    assert task.dataset == "My test, part 1*"
    write_tasks([task], tmp_path / "tasks")
    assert yaml.compose((tmp_path / "tasks" / f"{task.name}.yaml").read_text(encoding="utf-8")) is not None


def test_two_test_sets_of_one_name_are_refused(recipe: Recipe, tmp_path: Path) -> None:
    twice = with_tests(recipe, evaluation=recipe.evaluation * 2)
    with pytest.raises(EvaluationError, match=r"two test sets are called 'held-out' in direction eng>jav"):
        write_tasks(tasks_of(twice), tmp_path / "tasks")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"test set for eng>jav: no file at .*bad.tsv"),
        (b"", r"test set for eng>jav: bad.tsv is empty"),
        (b"eng\tjav\tind\n", r"test set for eng>jav: .*"),
        (b"english\tjav\nx\ty\n", r"bad.tsv has no column 'eng'; its columns are: english, jav"),
        (b"eng\tjav\nx\ty\nna\xefve\tz\n", r"bad.tsv, line 3: byte 3 \(0xEF\) is not UTF-8"),
        (b"eng\tjav\n\ty\nx\t\n", r"bad.tsv: nothing left after cleaning \(2 x empty side\)"),
    ],
    ids=["missing", "empty", "no-rows", "column", "encoding", "empty-lines"],
)
def test_a_bad_test_set_is_a_corpus_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "bad.tsv"
    if content is not None:
        path.write_bytes(content)
    recipe = make_recipe_for(tmp_path, tmp_path, path=str(path))
    with pytest.raises(CorpusError, match=message) as caught:
        tasks_of(recipe)
    assert caught.value.hint


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one_is_an_error(recipe: Recipe, limit: int) -> None:
    with pytest.raises(EvaluationError, match=rf"limit {limit} leaves nothing to score"):
        tasks_of(recipe, limit=limit)


def test_a_recipe_without_test_sets_is_an_error(recipe: Recipe) -> None:
    with pytest.raises(EvaluationError, match="the recipe names no test set"):
        tasks_of(with_tests(recipe, evaluation=()))


@pytest.mark.parametrize("direction", ["eng>xyz", "english", "jav>jav"])
def test_an_unknown_direction_is_an_error(tmp_path: Path, direction: str) -> None:
    with pytest.raises(CogsymError) as caught:
        tasks_of(make_recipe_for(tmp_path, tmp_path, directions=[direction]))
    assert caught.value.hint
    if direction == "eng>xyz":
        assert isinstance(caught.value, LanguageError)


def test_rows_left_out_by_cleaning_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "held-out.tsv"
    path.write_text("eng\tjav\tind\none\tsiji\tsatu\none\tsiji\tsatu\ntwo\t\tdua\n", encoding="utf-8")
    task = tasks_of(make_recipe_for(tmp_path, tmp_path))[0]
    assert len(task.rows) == 1
    assert task.source.dropped == {"repeated row": 1, "empty side": 1}
    assert task.source.left_out == (
        "held-out.tsv: left out 1 x repeated row (first: line 3), 1 x empty side (first: line 4)"
    )
