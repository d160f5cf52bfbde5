"""Evaluation: what base + delta as reloaded from disk scores, and that lm-eval alone scores the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from evaluated_run import change_test_set, make_run, write_pairs
from lm_eval.api.instance import Instance
from transformers import AutoModelForCausalLM, AutoTokenizer

from toolkit import pretrained
from toolkit.decoding import answer_greedily
from toolkit.errors import EvaluationError, WrongBaseError
from toolkit.evaluation import EvaluationStep, evaluate
from toolkit.evaluation.lm import (
    EvaluationLM,
    _StopEachSentence,
    batch_size_for_text,
    default_batch_size,
    tokens_that_may_end,
)
from toolkit.prompts import LINES, Example
from toolkit.records import EvaluationRecord
from toolkit.run_folder import RunFolder
from toolkit.tokens import example_ids, prompt_ids

TASKS = ["held-out_eng_jav", "held-out_jav_eng", "held-out_eng_ind"]


@pytest.fixture(scope="module")
def finished(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, list[EvaluationRecord]]:
    """A run after its evaluation; do not write into it."""
    run = make_run(tiny_base, tmp_path_factory.mktemp("finished") / "here")
    return run, evaluate(run)


@pytest.fixture
def run(tiny_base: Path, tmp_path: Path) -> RunFolder:
    return make_run(tiny_base, tmp_path / "here")


@pytest.fixture(scope="module")
def merged(finished: tuple[RunFolder, Any], tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's delta merged onto its base, as a checkpoint of its own."""
    from toolkit.delta import merge

    out = tmp_path_factory.mktemp("merged") / "model"
    merge(finished[0].delta, tiny_base, out)
    return out


def refuse_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_base(*_: object, **__: object) -> None:
        pytest.fail("the base was loaded again")

    monkeypatch.setattr(pretrained, "load_base", load_base)


def samples(run: RunFolder, task: str, model: str) -> list[dict[str, str]]:
    lines = (run.samples / f"{task}.{model}.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def test_base_and_adapted_are_scored_in_every_direction(finished: tuple[RunFolder, list[EvaluationRecord]]) -> None:
    run, records = finished
    assert [(record.task, record.model) for record in records] == [
        (task, model) for task in TASKS for model in ("base", "adapted")
    ]
    assert sorted(records, key=lambda record: (record.task, record.model)) == sorted(
        run.read_evaluations(), key=lambda record: (record.task, record.model)
    )
    for record in records:
        assert [score.metric for score in record.scores] == ["chrF++", "BLEU"]
        assert all(score.low is not None and score.low <= score.value <= score.high for score in record.scores)
        assert all((score.p_value is None) == (record.model == "base") for score in record.scores)
        assert (record.delta_sha256 is None) == (record.model == "base")
        assert record.role == ("known" if record.task == "held-out_eng_ind" else "target")
        assert record.samples == (f"{record.task}.{record.model}.jsonl",)
        assert len(samples(run, record.task, record.model)) == record.n == 12
    base, adapted = records[:2]
    assert base.score("chrF++") != adapted.score("chrF++")


def test_what_is_scored_is_what_the_merged_model_says_to_a_user(
    finished: tuple[RunFolder, Any], merged: Path, tiny_base: Path
) -> None:
    for folder, name in ((merged, "adapted"), (tiny_base, "base")):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        for task in TASKS:
            rows = [json.loads(line) for line in (finished[0].tasks / f"{task}.jsonl").open(encoding="utf-8")]
            prompts = [prompt_ids(tokenizer, row["prompt"]) for row in rows]
            answers = answer_greedily(model, tokenizer, prompts, max_new_tokens=[24] * len(prompts), stop=LINES.stop)
            assert [answer.text for answer in answers] == [
                sample["hypothesis"] for sample in samples(finished[0], task, name)
            ]


def test_lm_eval_alone_gets_the_same_numbers_to_the_last_digit(
    finished: tuple[RunFolder, list[EvaluationRecord]], merged: Path, tiny_base: Path
) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    run, records = finished
    for folder, name in ((merged, "adapted"), (tiny_base, "base")):
        results = simple_evaluate(
            model="hf",
            model_args={"pretrained": str(folder), "dtype": "float32"},
            device="cpu",
            batch_size=records[0].decoding["batch_size"],
            tasks=TASKS,
            task_manager=TaskManager(include_path=str(run.tasks), include_defaults=False),
            bootstrap_iters=0,
        )
        assert results is not None
        for record in (record for record in records if record.model == name):
            theirs = results["results"][record.task]
            ours = {score.metric: score.value for score in record.scores}
            assert ours == {"chrF++": theirs["chrf++,none"], "BLEU": theirs["bleu,none"]}
            assert [sample["hypothesis"] for sample in samples(run, record.task, name)] == [
                sample["filtered_resps"][0].strip() for sample in results["samples"][record.task]
            ]


def test_the_command_in_a_task_file_reproduces_its_number(
    finished: tuple[RunFolder, list[EvaluationRecord]], merged: Path, tmp_path: Path
) -> None:
    run, records = finished
    record = next(record for record in records if (record.task, record.model) == (TASKS[0], "adapted"))
    comment = (run.tasks / f"{TASKS[0]}.yaml").read_text(encoding="utf-8").split("\n")[1]
    given = {"MERGED": merged, "DTYPE": record.decoding["dtype"], "N": record.decoding["batch_size"]}
    command = re.sub(r"\b(MERGED|DTYPE|N)\b", lambda match: str(given[match[0]]), comment.removeprefix("# lm_eval "))
    options = [*command.split(), "--device", "cpu"]
    subprocess.run(
        [sys.executable, "-m", "lm_eval", *options, "--output_path", str(tmp_path / "out.json")],
        cwd=run.tasks,
        check=True,
        capture_output=True,
        timeout=200,
    )
    (output,) = tmp_path.rglob("*.json")
    theirs = json.loads(output.read_text(encoding="utf-8"))["results"][TASKS[0]]
    assert {score.metric: score.value for score in record.scores} == {
        "chrF++": theirs["chrf++,none"],
        "BLEU": theirs["bleu,none"],
    }


@pytest.mark.parametrize("stop", [["\n"], ["e"], ["an", "o"]])
def test_letting_go_of_finished_sentences_changes_no_answer(tiny_base: Path, stop: list[str]) -> None:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    broken = [index for index, piece in enumerate(pieces) if piece.startswith("<0x") and piece != "<0x0A>"]
    with torch.no_grad():
        model.lm_head.weight.mul_(8)  # answers that differ from each other
        model.lm_head.weight[broken] = 0  # and are text
    prompts = [f"English: the bird is near the {'old ' * (number % 5)}tree {number}\nJavanese:" for number in range(30)]
    settings = {"until": stop, "max_gen_toks": 40, "do_sample": False}

    def requests() -> list[Instance]:
        return [Instance("generate_until", {}, (prompt, dict(settings)), index) for index, prompt in enumerate(prompts)]

    steps: list[int] = []
    for lm in (HFLM(pretrained=model, tokenizer=tokenizer, batch_size=8), EvaluationLM(model, tokenizer, 8)):
        forward = model.forward
        calls = 0

        def counted(*arguments: Any, _forward: Any = forward, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            return _forward(*arguments, **options)

        model.forward = counted
        answers = lm.generate_until(requests(), disable_tqdm=True)
        model.forward = forward
        steps.append(calls)
        if lm.__class__ is HFLM:
            expected = answers
    assert answers == expected
    assert len(set(answers)) > 3
    assert steps[1] <= steps[0]


def test_a_newline_that_later_bytes_could_swallow_does_not_end_a_sentence(tiny_base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    newline, stray, word = (tokenizer.convert_tokens_to_ids(piece) for piece in ("<0x0A>", "<0xC3>", "▁the"))
    assert "\n" not in tokenizer.decode([word, newline, stray, word])  # what makes the care necessary
    rows = torch.tensor([[word, word, newline], [word, newline, stray], [word, newline, word], [word, word, word]])
    stops = _StopEachSentence(tokenizer, ["\n"], prompt_tokens=0, may_end=tokens_that_may_end(tokenizer, ["\n"]))
    assert stops(rows[:, :1], None).tolist() == [False] * 4  # step by step, as generation goes
    assert stops(rows[:, :2], None).tolist() == [False] * 4
    assert stops(rows, None).tolist() == [False, False, True, False]
    closed = torch.cat([rows, torch.full((4, 1), word)], dim=1)
    assert stops(closed, None).tolist() == [True, False, True, False]


def test_prompts_reach_the_model_as_the_ids_of_training(tiny_base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    lm = EvaluationLM(model, tokenizer, 4)
    prompts = ["English: the bird\nJavanese:", "English: a much longer sentence </s> here\nJavanese:"]
    ids, mask = lm.tok_batch_encode(prompts)
    for prompt, row, kept in zip(prompts, ids, mask, strict=True):
        trained, length = example_ids(tokenizer, Example(prompt, LINES.completion("manuk"), "jav"))
        assert row[kept.bool()].tolist() == trained[:length]
        assert trained[0] == tokenizer.bos_token_id
        assert kept.tolist() == sorted(kept.tolist())  # padding stands on the left
    # Plain lm-eval would read the second prompt's </s> as the end of the sequence.
    assert lm.reads_otherwise(prompts) == 1


def test_prompts_that_lm_eval_reads_otherwise_are_told_in_the_record(tiny_base: Path, tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "spelled.tsv", count=3)
    path.write_text(path.read_text(encoding="utf-8") + "an </s> here\tiki </s>\titu </s>\n", encoding="utf-8")
    run = make_run(tiny_base, tmp_path / "here", path=str(path), directions=["eng>jav"])
    assert [record.decoding.get("prompts_that_lm_eval_tokenizes_otherwise") for record in evaluate(run)] == [1, 1]


def test_what_was_computed_is_not_computed_again(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate(run)
    before = {path: path.stat().st_mtime_ns for path in run.evaluation_records.iterdir()}
    refuse_to_load(monkeypatch)
    assert evaluate(run) == first
    assert {path: path.stat().st_mtime_ns for path in run.evaluation_records.iterdir()} == before


def test_answers_that_end_in_a_loop_come_with_a_caution(run: RunFolder) -> None:
    evaluate(run)
    file = run.samples / f"{TASKS[0]}.adapted.jsonl"
    answers = samples(run, TASKS[0], "adapted")
    for number, answer in enumerate(answers):
        answer["hypothesis"] = "manuk lan kali " * 8 if number < 3 else f"manuk {number}"
    file.write_text("".join(json.dumps(answer) + "\n" for answer in answers), encoding="utf-8")
    cautions = {record.task: {score.caution for score in record.scores} for record in evaluate(run)[1::2]}
    assert cautions[TASKS[0]] == {
        "held-out, eng>jav: 25% of the answers of the adapted model end in a loop of the same words"
    }


def test_an_interrupted_evaluation_goes_on_where_it_stopped(run: RunFolder) -> None:
    def interrupt(step: EvaluationStep) -> None:
        if (step.model, step.task, step.sentences) == ("adapted", TASKS[1], 48):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(run, report=interrupt)
    assert len(run.read_evaluations()) == 4
    assert all(record.scores for record in run.read_evaluations())
    steps: list[EvaluationStep] = []
    records = evaluate(run, report=steps.append)
    assert len(records) == 6
    assert {(step.model, step.task) for step in steps} == {("adapted", TASKS[1]), ("adapted", TASKS[2])}
    assert (steps[-1].sentences, steps[-1].total_sentences) == (24, 24)


@pytest.mark.parametrize("change", ["limit", "samples", "record", "answer length", "delta", "again"])
def test_what_depends_on_a_change_is_computed_again(run: RunFolder, change: str) -> None:
    change_test_set(run, directions=["eng>jav"])
    evaluate(run)
    options: dict[str, Any] = {}
    expected = {"base", "adapted"}
    if change == "limit":
        options = {"limit": 3}
    elif change == "again":
        options = {"again": True}
    elif change == "samples":
        path = run.samples / f"{TASKS[0]}.adapted.jsonl"
        path.write_text(path.read_text(encoding="utf-8").split("\n", 1)[1], encoding="utf-8")
        expected = {"adapted"}
    elif change == "record":
        (run.evaluation_records / f"{TASKS[0]}.base.json").write_text("{", encoding="utf-8")
        expected = {"base"}
    elif change == "answer length":
        change_test_set(run, max_new_tokens=5)
    else:
        config = json.loads(run.config.read_text(encoding="utf-8"))
        record = run.evaluation_records / f"{TASKS[0]}.adapted.json"
        record.write_text(record.read_text(encoding="utf-8").replace(config["delta_sha256"], "0" * 64))
        expected = {"adapted"}
    steps: list[EvaluationStep] = []
    evaluate(run, report=steps.append, **options)
    assert {step.model for step in steps} == expected


def test_the_answers_of_the_base_can_be_taken_over_from_another_run(
    run: RunFolder, tiny_base: Path, tmp_path: Path
) -> None:
    records = evaluate(run)
    other = make_run(tiny_base, tmp_path / "other", path=str(tmp_path / "here" / "held-out.tsv"))
    steps: list[EvaluationStep] = []
    reused = evaluate(other, reuse=run, report=steps.append)
    assert [record.scores for record in reused] == [record.scores for record in records]
    assert {step.model for step in steps} == {"adapted"}


def test_the_answers_of_another_base_are_not_taken_over(run: RunFolder, tmp_path: Path) -> None:
    from conftest import make_tiny_base

    other = make_run(make_tiny_base(tmp_path / "base", seed=1), tmp_path / "other")
    with pytest.raises(EvaluationError, match="stand on different bases"):
        evaluate(run, reuse=other)


def test_no_half_written_file_is_left(finished: tuple[RunFolder, Any]) -> None:
    assert not [path for path in finished[0].root.rglob("*") if path.name.endswith(".tmp")]


def test_another_base_is_refused_before_anything_is_scored(run: RunFolder, tmp_path: Path) -> None:
    from conftest import make_tiny_base

    other = make_tiny_base(tmp_path / "other", seed=1)
    with pytest.raises(WrongBaseError):
        evaluate(run, base=str(other))
    assert run.read_evaluations() == []


def test_a_prompt_longer_than_the_context_is_an_error(run: RunFolder) -> None:
    change_test_set(run, max_new_tokens=250)
    with pytest.raises(EvaluationError, match=r"held-out_eng_jav: a prompt of \d+ tokens and an answer of 250 exceed"):
        evaluate(run)


def test_a_delta_without_recipe_needs_one(run: RunFolder) -> None:
    recipe = run.recipe.read_text(encoding="utf-8")
    run.recipe.unlink()
    with pytest.raises(EvaluationError, match="holds no recipe that names test sets"):
        evaluate(run)
    assert "evaluation" in recipe


def test_batches_fit_the_memory_that_models_of_this_size_are_run_in() -> None:
    from transformers import LlamaConfig

    seven = LlamaConfig(hidden_size=4096, num_hidden_layers=32, num_attention_heads=32)
    small = LlamaConfig(hidden_size=96, num_hidden_layers=16, num_attention_heads=4)
    assert default_batch_size(seven, torch.bfloat16, torch.device("cuda")) == 16
    assert default_batch_size(seven, torch.float32, torch.device("cpu")) == 2
    assert default_batch_size(small, torch.float32, torch.device("cpu")) == 128


@pytest.mark.parametrize(
    ("dtype", "bytes_per_logit"),
    [(torch.float32, 4 + 4), (torch.bfloat16, 2 + 4 + 4), (torch.float16, 2 + 4 + 4)],
    ids=str,
)
def test_batches_of_likelihoods_count_what_they_are_computed_from(dtype: torch.dtype, bytes_per_logit: int) -> None:
    config, tokens = SimpleNamespace(vocab_size=32_000), 1000
    size = batch_size_for_text(config, dtype, torch.device("cuda"), tokens)
    assert size == 4 * 2**30 // (tokens * 32_000 * bytes_per_logit)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_likelihoods_are_float32_of_whatever_the_model_says(tiny_base: Path, dtype: torch.dtype) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=dtype)
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    lm = EvaluationLM(model, tokenizer, 1)
    prompt, text = "the sun is near", " the moon is near the river is near the stone is near the bird"
    document: dict[str, str] = {}
    ((found, _),) = lm.loglikelihood([Instance("loglikelihood", document, (prompt, text), 0)], disable_tqdm=True)
    ids, start = (torch.tensor(prompt_ids(tokenizer, each)) for each in (prompt + text, prompt))
    with torch.inference_mode():
        logits = model(input_ids=ids[None, :-1]).logits[0, len(start) - 1 :]
    wanted = logits.float().log_softmax(-1).gather(-1, ids[len(start) :, None]).sum()
    assert found == pytest.approx(float(wanted), rel=1e-6)


def test_only_tokens_that_can_complete_a_stop_are_looked_at(tiny_base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    may_end = tokens_that_may_end(tokenizer, ["\n", "ab"])
    word, newline, stray = (tokenizer.convert_tokens_to_ids(piece) for piece in ("▁the", "<0x0A>", "<0xC3>"))
    assert not may_end[word]
    assert may_end[newline]
    assert may_end[stray]  # half a character: whatever it becomes with the next byte
    texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
    assert all(bool(may_end[token]) for token, text in enumerate(texts) if "b" in text or "\n" in text)
    assert int(may_end.sum()) < len(tokenizer)
