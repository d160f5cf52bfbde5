"""Words, sentiment, questions and plain text: what is asked, what is right, and that lm-eval alone scores the same."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from evaluated_run import make_recipe_for, make_run
from sklearn.metrics import accuracy_score, f1_score
from transformers import AutoModelForCausalLM, AutoTokenizer

from toolkit.errors import CogsymError, CorpusError, EvaluationError
from toolkit.evaluation import evaluate
from toolkit.evaluation.asking import Choose, Read, Write
from toolkit.evaluation.bootstrap import resample
from toolkit.evaluation.making import make_tasks
from toolkit.evaluation.metrics import BitsPerByte, MacroF1, WordPerplexity, accepted_words, right_choices
from toolkit.evaluation.task import Task
from toolkit.recipe import Recipe, make_recipe, write_recipe
from toolkit.records import EvaluationRecord
from toolkit.run_folder import RunFolder
from toolkit.tokens import plain_ids, prompt_ids

WORDS = (
    "eng\tjav\nbird\tmanuk\nfish\tiwak | ulam\nhouse | home\tomah\ntree\twit\nriver\tkali\nstone\twatu\nroad\tdalan\n"
)
LABELLED = "id,text,label\n" + "".join(
    f'{number},"the {noun} is {word}, {number}",{label}\n'
    for number, (noun, word, label) in enumerate(
        [("bird", "old", "negative"), ("house", "near", "positive"), ("road", "long", "neutral")] * 4
    )
)
EXAMPLES = LABELLED.replace("the ", "a ")
QUESTIONS = [
    {"question": "Which one flies?", "options": ["a. fish", "b. bird", "c. stone"], "answer": "B"},
    {"question": "Where does a fish live?", "options": ["a. river", "b. tree"], "answer": "a"},
    {"question": "Which one is hard?", "options": ["a. stone", "b. river", "c. bird"], "answer": "A"},
    {"question": "Which one grows?", "options": ["a. road", "b. house", "c. tree"], "answer": "c"},
]
PAIRS = "eng\tjav\nthe bird is old\tmanuk iku tuwa\nthe stone is near\twatu iku cedhak\n"
TEXT = "the bird is near the old tree\nthe fish is near the stone\n\nthe house is near the river 12\n\n" * 3
KINDS = ("likelihood", "words", "sentiment", "multiple_choice", "perplexity")


def test_sets(folder: Path) -> list[dict[str, Any]]:
    """One test set of each kind, with its files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "words.tsv").write_text(WORDS, encoding="utf-8")
    (folder / "senti.csv").write_text(LABELLED, encoding="utf-8")
    (folder / "senti-train.csv").write_text(EXAMPLES, encoding="utf-8")
    (folder / "exam.json").write_text(json.dumps(QUESTIONS[:2]), encoding="utf-8")
    (folder / "exam-dev.json").write_text(json.dumps(QUESTIONS[2:]), encoding="utf-8")
    (folder / "plain.txt").write_text(TEXT, encoding="utf-8")
    (folder / "pairs.tsv").write_text(PAIRS, encoding="utf-8")
    return [
        {"kind": "likelihood", "path": str(folder / "pairs.tsv"), "directions": ["eng>jav"]},
        {"kind": "words", "path": str(folder / "words.tsv"), "directions": ["eng>jav", "jav>eng"], "shots": 2},
        {"kind": "sentiment", "path": str(folder / "senti.csv"), "shots_path": str(folder / "senti-train.csv")},
        {
            "kind": "multiple_choice",
            "path": str(folder / "exam.json"),
            "shots": 1,
            "shots_path": str(folder / "exam-dev.json"),
        },
        {"kind": "perplexity", "path": str(folder / "plain.txt"), "language": "eng"},
    ]


test_sets.__test__ = False  # type: ignore[attr-defined]


def recipe_with(folder: Path, *tests: dict[str, Any], base: Path | None = None) -> Recipe:
    fields = make_recipe_for(base or folder, folder).model_dump(mode="json")
    return make_recipe(fields | {"evaluation": list(tests)})


def made(recipe: Recipe, **options: Any) -> list[tuple[Task, ...]]:
    return make_tasks(recipe.evaluation, recipe.language, recipe.prompt, **options)


def tasks_of(folder: Path, kind: str, *, options: dict[str, Any] | None = None, **changes: Any) -> list[Task]:
    test = next(test for test in test_sets(folder) if test["kind"] == kind)
    return [draws[0] for draws in made(recipe_with(folder, test | changes), **(options or {}))]


@pytest.fixture(scope="module")
def finished(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, list[EvaluationRecord]]:
    """A run evaluated on every kind; do not write into it."""
    folder = tmp_path_factory.mktemp("kinds")
    run = make_run(tiny_base, folder / "here")
    recipe = recipe_with(folder, *test_sets(folder / "sets"), base=tiny_base)
    write_recipe(recipe, run.recipe, opening="cogsym train")
    return run, evaluate(run)


def test_every_kind_is_scored_for_base_and_adapted(finished: tuple[RunFolder, list[EvaluationRecord]]) -> None:
    _, records = finished
    assert [(record.kind, record.direction, record.role, record.model) for record in records] == [
        (kind, direction, role, model)
        for kind, direction, role in (
            ("likelihood", "eng>jav", "target"),
            ("words", "eng>jav", "target"),
            ("words", "jav>eng", "target"),
            ("sentiment", "jav", "target"),
            ("multiple_choice", "jav", "target"),
            ("perplexity", "eng", "known"),
        )
        for model in ("base", "adapted")
    ]
    metrics = {record.kind: [score.metric for score in record.scores] for record in records}
    assert metrics == {
        "likelihood": ["bits per byte"],
        "words": ["accuracy"],
        "sentiment": ["macro-F1", "accuracy"],
        "multiple_choice": ["accuracy"],
        "perplexity": ["bits per byte", "word perplexity"],
    }
    for record in records:
        for score in record.scores:
            assert score.low is not None
            assert score.high is not None
            assert score.low <= score.value <= score.high
            assert score.lower_is_better == (record.kind in ("likelihood", "perplexity"))
            assert (score.p_value is None) == (record.model == "base")


def test_lm_eval_alone_gets_the_same_numbers_on_every_kind(
    finished: tuple[RunFolder, list[EvaluationRecord]], tiny_base: Path, tmp_path: Path
) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from toolkit.delta import merge

    run, records = finished
    merge(run.delta, tiny_base, tmp_path / "merged")
    names = {"accuracy": ["acc,none", "is_accepted,none"], "macro-F1": ["f1,none"]}
    names |= {"bits per byte": ["bits_per_byte,none"], "word perplexity": ["word_perplexity,none"]}
    for record in records:
        command = (run.tasks / f"{record.task}.yaml").read_text(encoding="utf-8").split("\n")[1]
        arguments = command.split("--model_args ")[1].split()[0]
        assert ("softmax_dtype=float32" in arguments) == (record.kind != "words")
        model = tiny_base if record.model == "base" else tmp_path / "merged"
        arguments = arguments.replace("MERGED", str(model)).replace("DTYPE", record.decoding["dtype"])
        results = simple_evaluate(
            model="hf",
            model_args=arguments,
            device="cpu",
            batch_size=record.decoding["batch_size"],
            tasks=[record.task],
            task_manager=TaskManager(include_path=str(run.tasks), include_defaults=False),
            bootstrap_iters=0,
        )
        assert results is not None
        theirs = results["results"][record.task]
        for score in record.scores:
            value = next(theirs[name] for name in names[score.metric] if name in theirs)
            scale = 100 if score.metric in ("accuracy", "macro-F1") else 1
            assert score.value == pytest.approx(scale * value, rel=1e-12), (record.task, score.metric)


def test_likelihood_is_that_of_the_reference_after_its_prompt(
    finished: tuple[RunFolder, list[EvaluationRecord]], tiny_base: Path
) -> None:
    run, records = finished
    record = next(record for record in records if (record.kind, record.model) == ("likelihood", "base"))
    model = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    nats, size = 0.0, 0
    for line in (run.tasks / f"{record.task}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        prompt, whole = (prompt_ids(tokenizer, text) for text in (row["prompt"], row["prompt"] + row["text"]))
        assert row["text"].startswith(" ")
        assert whole[: len(prompt)] == prompt
        ids = torch.tensor([whole])
        labels = torch.tensor([[-100] * len(prompt) + whole[len(prompt) :]])
        with torch.no_grad():
            nats += float(model(input_ids=ids, labels=labels).loss) * (len(whole) - len(prompt))
        size += len(row["text"].encode())
    score = record.score("bits per byte")
    assert score is not None
    assert score.value == pytest.approx(nats / size / math.log(2), rel=1e-5)


def test_perplexity_is_that_of_the_models_own_loss(
    finished: tuple[RunFolder, list[EvaluationRecord]], tiny_base: Path
) -> None:
    record = next(record for record in finished[1] if (record.kind, record.model) == ("perplexity", "base"))
    model = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    nats, size = 0.0, 0
    for line in (finished[0].samples / record.samples[0]).read_text(encoding="utf-8").splitlines():
        text = json.loads(line)["text"]
        ids = torch.tensor([[tokenizer.bos_token_id, *plain_ids(tokenizer, text)]])
        with torch.no_grad():
            nats += float(model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
        size += len(text.encode())
    score = record.score("bits per byte")
    assert score is not None
    assert score.value == pytest.approx(nats / size / math.log(2), rel=1e-5)


def test_words_are_asked_in_quotation_marks_after_other_words(tmp_path: Path) -> None:
    task = tasks_of(tmp_path, "words")[0]
    assert task.asks == Write('"', 16, target="accepted")
    house = next(row for row in task.rows if row["source"] == "house")
    *examples, asked = house["prompt"].split("\n")
    assert asked == 'English: "house" - Basa Jawa: "'
    assert len(examples) == 2
    assert all(example.startswith('English: "') and example.endswith('"') for example in examples)
    assert not any("omah" in example for example in examples)
    fish = next(row for row in task.rows if row["source"] == "fish")
    assert fish["accepted"] == ["iwak", "ulam"]


def test_any_accepted_word_is_right_whatever_its_case() -> None:
    samples = [
        {"hypothesis": answer, "accepted": ["iwak", "ulam"]} for answer in ("Ulam", " iwak.", "manuk", "", "iwak ulam")
    ]
    assert resample(accepted_words(), accepted_words().statistics(samples)).value == 40.0


def test_rows_with_the_same_word_are_one_question_and_loan_words_stay(tmp_path: Path) -> None:
    text = "ind\tjav\nabu\tawu\nabu\tabu\nadopsi\tadopsi\nair\tbanyu | toya\n"
    (tmp_path / "w.tsv").write_text(text, encoding="utf-8")
    test = {"kind": "words", "path": str(tmp_path / "w.tsv"), "directions": ["ind>jav"], "shots": 1}
    task = made(recipe_with(tmp_path, test))[0][0]
    assert [(row["source"], row["accepted"]) for row in task.rows] == [
        ("abu", ["awu", "abu"]),
        ("adopsi", ["adopsi"]),
        ("air", ["banyu", "toya"]),
    ]


def test_too_few_words_for_the_examples_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"words.tsv: 6 words beside 'bird', but 7 examples are asked for"):
        tasks_of(tmp_path, "words", shots=7)


def test_sentiment_shows_every_label_and_no_text_of_the_test_set(tmp_path: Path) -> None:
    (task,) = tasks_of(tmp_path, "sentiment", labels={"positive": "apik", "neutral": "biasa", "negative": "elek"})
    assert task.asks == Choose()
    *examples, asked = task.rows[0]["prompt"].split("\n\n")
    assert asked == "Text: the bird is old, 0\nSentiment:"
    assert sorted(example.rsplit(" ", 1)[1] for example in examples) == ["apik", "biasa", "elek"]
    assert task.rows[0]["choices"] == ["apik", "biasa", "elek"]
    assert task.rows[0]["gold"] == 2


@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_and_accuracy_are_those_of_scikit_learn(seed: int) -> None:
    drawn = torch.randint(0, 3, (2, 40), generator=torch.Generator().manual_seed(seed)).tolist()
    gold, chosen = drawn[0], [label if seed % 2 else min(label, 1) for label in drawn[1]]  # one label never chosen
    if seed == 4:
        gold = [min(label, 1) for label in gold]  # nor right: it does not count at all
    samples = [{"gold": right, "chosen": said} for right, said in zip(gold, chosen, strict=True)]
    metric = MacroF1(("a", "b", "c"))
    assert resample(metric, metric.statistics(samples)).value == pytest.approx(
        100 * f1_score(gold, chosen, average="macro"), rel=1e-12
    )
    assert resample(right_choices(), right_choices().statistics(samples)).value == pytest.approx(
        100 * accuracy_score(gold, chosen), rel=1e-12
    )


def test_questions_have_lettered_options_whatever_letters_the_file_wrote(tmp_path: Path) -> None:
    (task,) = tasks_of(tmp_path, "multiple_choice")
    first = task.rows[0]
    assert first["prompt"].endswith("\n\nQuestion: Which one flies?\nA. fish\nB. bird\nC. stone\nAnswer:")
    assert (first["choices"], first["gold"], first["reference"]) == (["A", "B", "C"], 1, "bird")
    (spoken,) = tasks_of(tmp_path, "multiple_choice", says="option")
    assert spoken.rows[0]["choices"] == ["fish", "bird", "stone"]
    assert spoken.rows[0]["prompt"].endswith("Question: Which one flies?\nAnswer:")


def test_options_may_lie_in_columns_and_answers_be_numbers(tmp_path: Path) -> None:
    row = {"passage": "A bird sits here.", "question": "Who?", "answer1": "fish", "answer2": "bird", "right": "2"}
    (tmp_path / "b.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    test = {
        "kind": "multiple_choice",
        "path": str(tmp_path / "b.jsonl"),
        "passage": "passage",
        "options": ["answer1", "answer2"],
        "answer": "right",
        "first": 1,
    }
    task = made(recipe_with(tmp_path, test))[0][0]
    assert task.rows[0]["gold"] == 1
    assert task.rows[0]["prompt"].startswith("A bird sits here.\nQuestion: Who?\n")


def test_plain_text_is_read_by_the_block(tmp_path: Path) -> None:
    (task,) = tasks_of(tmp_path, "perplexity")
    assert task.asks == Read()
    assert task.rows[0]["text"] == "the bird is near the old tree\nthe fish is near the stone"
    assert (len(task.rows), task.source.dropped) == (2, {"repeated row": 4})
    sample = [{"loglikelihood": -8 * math.log(2), "text": "ab cd"}]
    assert resample(BitsPerByte(), BitsPerByte().statistics(sample)).value == pytest.approx(8 / 5)
    assert resample(WordPerplexity(), WordPerplexity().statistics(sample)).value == pytest.approx(16)


def exam(options: list[str], answer: str) -> str:
    return json.dumps([{"question": "q", "options": options, "answer": answer}])


@pytest.mark.parametrize(
    ("kind", "file", "content", "message"),
    [
        (
            "sentiment",
            "senti.csv",
            "text,label\ngood,positive\nok,posittive\n",
            r"senti.csv, line 3: label 'posittive'",
        ),
        ("sentiment", "senti.csv", "text,tag\ngood,positive\n", r"senti.csv has no column 'label'"),
        ("sentiment", "senti.csv", "text,label\n,positive\n", r"nothing left after cleaning \(1 x empty text\)"),
        ("multiple_choice", "exam.json", exam(["x"], "A"), r"row 1: options must"),
        ("multiple_choice", "exam.json", exam(["x", "y"], "C"), "answer 'C' is none"),
        ("multiple_choice", "exam.json", exam(["x", ""], "A"), "option B is empty"),
        ("words", "words.tsv", "eng\njav\n", r"words.tsv has no column 'jav'"),
        ("perplexity", "plain.txt", "", r"plain.txt is empty"),
    ],
)
def test_a_bad_test_set_names_its_file_and_line(
    tmp_path: Path, kind: str, file: str, content: str, message: str
) -> None:
    test = next(test for test in test_sets(tmp_path) if test["kind"] == kind)
    (tmp_path / file).write_text(content, encoding="utf-8")
    with pytest.raises(CorpusError, match=message) as caught:
        made(recipe_with(tmp_path, test))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ({"kind": "sentiment", "path": "x.csv", "shots": 2, "shots_path": "y.csv"}, "2 shots cannot show 3 labels"),
        ({"kind": "sentiment", "path": "x.csv"}, "shots need shots_path"),
        ({"kind": "sentiments", "path": "x.csv"}, "no test set is of kind 'sentiments'"),
        ({"kind": "words", "path": "x.tsv"}, "`evaluation.0.directions` is missing"),
        ({"kind": "perplexity", "path": "x.txt", "directions": ["eng>jav"]}, "unknown key `evaluation.0.directions`"),
        ({"kind": "multiple_choice", "path": "x.json", "language": "xyz"}, "unknown language 'xyz'"),
        ({"kind": "words", "hub": "a/b", "path": "x", "directions": ["eng>jav"]}, "give either a `path:`"),
        (
            {"path": "x", "directions": ["eng>jav"], "shots_path": "y", "shots_split": "dev"},
            "not from both",
        ),
    ],
)
def test_a_bad_entry_in_the_recipe_is_named(tmp_path: Path, test: dict[str, Any], message: str) -> None:
    with pytest.raises(CogsymError) as caught:
        recipe_with(tmp_path, test)
    assert message in caught.value.message
    assert caught.value.hint


def test_a_label_without_enough_examples_is_an_error(tmp_path: Path) -> None:
    test = next(test for test in test_sets(tmp_path) if test["kind"] == "sentiment")
    (tmp_path / "senti-train.csv").write_text("text,label\na,positive\nb,positive\nc,neutral\n", encoding="utf-8")
    with pytest.raises(EvaluationError, match="hold 0 rows with the label 'negative'"):
        made(recipe_with(tmp_path, test))


def test_only_the_tasks_asked_for_are_made(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path, *test_sets(tmp_path))
    assert {draws[0].kind for draws in made(recipe)} == set(KINDS)
    words = [draws[0].test for draws in made(recipe, only=["words"])]
    assert words == ["words_words_eng_jav", "words_words_jav_eng"]
    assert [draws[0].test for draws in made(recipe, only=["*_jav", "perplexity"])] == [
        "pairs_likelihood_eng_jav",
        "words_words_eng_jav",
        "senti_sentiment_jav",
        "exam_multiple_choice_jav",
        "plain_perplexity_eng",
    ]
    with pytest.raises(EvaluationError, match="no task here is called wrods") as caught:
        made(recipe, only=["wrods"])
    assert "senti_sentiment_jav" in (caught.value.hint or "")


def test_repeats_draw_other_examples_and_count_as_their_mean(tiny_base: Path, tmp_path: Path) -> None:
    run = make_run(tiny_base, tmp_path / "here")
    by_kind = {test["kind"]: test for test in test_sets(tmp_path)}
    sentiment, plain = by_kind["sentiment"], by_kind["perplexity"]
    write_recipe(recipe_with(tmp_path, sentiment, plain, base=tiny_base), run.recipe, opening="cogsym train")
    records = {(record.kind, record.model): record for record in evaluate(run, repeats=3)}
    record = records["sentiment", "adapted"]
    assert record.seeds == (0, 1, 2)
    assert len(set(record.prompts_sha256)) == 3
    assert record.samples == tuple(f"senti_sentiment_jav{end}.adapted.jsonl" for end in ("", "_seed1", "_seed2"))
    for score in record.scores:
        assert score.value == pytest.approx(sum(score.draws) / 3, rel=1e-12)
    assert records["perplexity", "base"].seeds == (0,)
    singles = [evaluate(run, seed=seed, tasks=["sentiment"])[1] for seed in (2, 1, 0)]
    assert [single.scores[0].value for single in reversed(singles)] == list(record.scores[0].draws)
    assert [(single.seeds, len(single.samples), len(single.prompts_sha256)) for single in singles] == [
        ((seed,), 1, 1) for seed in (2, 1, 0)
    ]


@pytest.mark.parametrize("place", ["recipe", "option"])
def test_a_limit_of_words_counts_questions(tmp_path: Path, place: str) -> None:
    lines = ["ind\tjav", "rumah\tomah", "rumah\tgriya", "mata\tmripat", "air\tbanyu", "rumah\tdalem", "api\tgeni"]
    (tmp_path / "w.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    test = {"kind": "words", "path": str(tmp_path / "w.tsv"), "directions": ["ind>jav"], "shots": 1}
    limited, options = (test | {"limit": 2}, {}) if place == "recipe" else (test, {"limit": 2})
    (task,), (whole,) = made(recipe_with(tmp_path, limited), **options)[0], made(recipe_with(tmp_path, test))[0]
    assert [row["source"] for row in task.rows] == ["rumah", "mata"]
    assert task.rows == whole.rows[:2], "the same questions, with the same examples and answers"
    assert task.rows[0]["accepted"] == ["omah", "griya", "dalem"]
    assert [row["jav"] for row in task.source.rows] == ["omah", "griya", "mripat", "dalem"]
    assert [row["jav"] for row in whole.source.rows] == [line.split("\t")[1] for line in lines[1:]]


def test_fewer_repeats_than_before_keep_the_draws_that_were_made(tiny_base: Path, tmp_path: Path) -> None:
    run = make_run(tiny_base, tmp_path / "here")
    sentiment = next(test for test in test_sets(tmp_path) if test["kind"] == "sentiment")
    write_recipe(recipe_with(tmp_path, sentiment, base=tiny_base), run.recipe, opening="cogsym train")
    three = evaluate(run, repeats=3)
    steps: list[Any] = []
    assert evaluate(run, report=steps.append) == three
    assert steps == []
    assert [record.seeds for record in run.read_evaluations()] == [(0, 1, 2), (0, 1, 2)]
    assert [record.seeds for record in evaluate(run, repeats=4)] == [(0, 1, 2, 3)] * 2


def test_a_run_with_fewer_draws_answers_those_of_the_run_that_it_is_compared_with(
    tiny_base: Path, tmp_path: Path
) -> None:
    one = make_run(tiny_base, tmp_path / "one")
    sentiment = next(test for test in test_sets(tmp_path) if test["kind"] == "sentiment")
    write_recipe(recipe_with(tmp_path, sentiment, base=tiny_base), one.recipe, opening="cogsym train")
    other = make_run(tiny_base, tmp_path / "other")
    write_recipe(recipe_with(tmp_path, sentiment, base=tiny_base), other.recipe, opening="cogsym train")
    other = RunFolder(other.root.rename(tmp_path / "other" / "full"))
    evaluate(other, repeats=2)
    records = evaluate(one, against=[other])
    assert [record.seeds for record in records] == [(0, 1), (0, 1)]
    assert set(records[1].scores[0].against) == {"full"}
    assert [record.seeds for record in other.read_evaluations()] == [(0, 1), (0, 1)]


def test_an_interrupted_series_of_repeats_goes_on(tiny_base: Path, tmp_path: Path) -> None:
    run = make_run(tiny_base, tmp_path / "here")
    sentiment = next(test for test in test_sets(tmp_path) if test["kind"] == "sentiment")
    write_recipe(recipe_with(tmp_path, sentiment, base=tiny_base), run.recipe, opening="cogsym train")

    def interrupt(step: Any) -> None:
        if step.task.endswith("_seed1") and step.model == "base":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(run, repeats=2, report=interrupt)
    (kept,) = run.read_evaluations()
    assert (kept.model, kept.seeds) == ("base", (0,))
    steps: list[Any] = []
    records = evaluate(run, repeats=2, report=steps.append)
    assert [record.seeds for record in records] == [(0, 1), (0, 1)]
    assert (steps[0].model, steps[0].task) == ("base", "senti_sentiment_jav_seed1")
    assert not any(step.model == "base" and step.task == "senti_sentiment_jav" for step in steps)


def test_runs_over_one_base_are_compared_in_one_evaluation(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit import pretrained

    one = make_run(tiny_base, tmp_path / "one")
    other = make_run(tiny_base, tmp_path / "other", path=str(tmp_path / "one" / "held-out.tsv"))
    other = RunFolder(other.root.rename(tmp_path / "other" / "full"))
    loads: list[Any] = []
    load_base = pretrained.load_base
    monkeypatch.setattr(pretrained, "load_base", lambda *args, **kw: loads.append(args) or load_base(*args, **kw))
    records = evaluate(one, against=[other])
    assert len(loads) == 1
    assert [record.model for record in records[:2]] == ["base", "adapted"]
    adapted = [record for record in records if record.model == "adapted"]
    assert all(set(score.against) == {"full"} for record in adapted for score in record.scores)
    assert records[1].scores[0].against["full"] == 1.0  # the two deltas are the same
    theirs = {(record.task, record.model): record.scores[0].value for record in other.read_evaluations()}
    assert theirs == {(record.task, record.model): record.scores[0].value for record in records}


def test_two_runs_of_one_name_cannot_be_compared(tiny_base: Path, tmp_path: Path) -> None:
    one, other = (make_run(tiny_base, tmp_path / folder / "jav") for folder in ("one", "other"))
    with pytest.raises(EvaluationError, match="two runs are called 'jav'"):
        evaluate(one, against=[other])


def test_training_text_that_stands_in_a_test_set_of_any_kind_is_found(tmp_path: Path) -> None:
    from toolkit.training.mixture import mix

    for text, test in (
        ("the bird is old, 0", "sentiment"),
        ("Which one flies?", "multiple_choice"),
        ("the house is near the river 12", "perplexity"),
        ("river", "words"),
    ):
        folder = tmp_path / test
        folder.mkdir()
        recipe = recipe_with(folder, next(each for each in test_sets(folder) if each["kind"] == test))
        source = recipe.data[0].model_copy(update={"directions": ("eng>jav",)})
        recipe = recipe.model_copy(update={"data": (source,)})
        path = Path(source.path or "")
        path.write_text(path.read_text(encoding="utf-8") + f"{text}\tmanuk siji\tburung\n", encoding="utf-8")
        with pytest.raises(CorpusError, match=r"1 of its rows share a sentence with a test set"):
            mix(recipe)


REAL = {
    "sentiment": {"path": "nusax/sentiment/javanese/test.csv", "shots_path": "nusax/sentiment/javanese/train.csv"},
    "multiple_choice": {
        "path": "m3exam_javanese/javanese-questions-test.json",
        "shots_path": "m3exam_javanese/javanese-questions-dev.json",
        "question": "question_text",
        "answer": "answer_text",
        "shots": 2,
    },
    "words": {
        "path": "nusax/lexicon/derived_en_id_jv_su.tsv",
        "columns": {"eng": "english", "jav": "javanese"},
        "directions": ["eng>jav", "jav>eng"],
    },
}


@pytest.mark.parametrize(("kind", "rows"), [("sentiment", 400), ("multiple_choice", 371), ("words", 415)])
def test_real_test_sets_are_read_whole(real_data: Path, tmp_path: Path, kind: str, rows: int) -> None:
    fields = dict(REAL[kind])
    for key in ("path", "shots_path"):
        if key in fields:
            fields[key] = str(real_data / str(fields[key]))
    task = made(recipe_with(tmp_path, {"kind": kind, **fields}))[0][0]
    assert rows - 12 <= len(task.rows) <= rows
    if kind != "words":
        assert set(range(3)) <= {row["gold"] for row in task.rows}


def test_real_questions_about_a_passage_are_read(real_data: Path, tmp_path: Path) -> None:
    test = {
        "kind": "multiple_choice",
        "path": str(real_data / "belebele/ind_Latn.jsonl"),
        "language": "ind",
        "passage": "flores_passage",
        "options": ["mc_answer1", "mc_answer2", "mc_answer3", "mc_answer4"],
        "answer": "correct_answer_num",
        "first": 1,
    }
    task = made(recipe_with(tmp_path, test))[0][0]
    assert (len(task.rows), task.role) == (900, "known")
