"""A translator over one base and two word games: the right words, from the right model, in the right shape."""

from __future__ import annotations

import io
import json
import shutil
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import card_records
import pytest
from conftest import WORDS, Outcome

from toolkit.errors import CogsymError, DamagedDeltaError, DeltaError, LanguageError, TranslationError, WrongBaseError
from toolkit.languages import Direction, get_language
from toolkit.passage import Partial
from toolkit.pretrained import from_pretrained, load_base
from toolkit.prompts import LINES, Example
from toolkit.records import EvaluationRecord, Score
from toolkit.routing import read_adaptation, routes
from toolkit.run_folder import RunFolder
from toolkit.tokens import example_ids, prompt_ids
from toolkit.translator import Translator


def game(word: str, shift: int) -> str:
    return WORDS[(WORDS.index(word) + shift) % len(WORDS)]


@pytest.fixture(scope="module")
def translator(tiny_base: Path, tiny_deltas: dict[str, Path]) -> Translator:
    return Translator.from_pretrained(list(tiny_deltas.values()), tiny_base, device="cpu")


@pytest.mark.parametrize(("language", "shift"), [("jav", 1), ("sun", 2)])
def test_each_direction_speaks_its_own_language(translator: Translator, language: str, shift: int) -> None:
    texts = [f"{word}." for word in WORDS]
    assert translator.translate(texts, f"eng>{language}") == [f"{game(word, shift)}." for word in WORDS]
    assert translator.translate(texts, f"{language}>eng") == [f"{game(word, -shift)}." for word in WORDS]


def test_a_text_keeps_its_lines_bullets_and_spaces(translator: Translator) -> None:
    text = "sun.\n\n  - moon.\r\n\t* river.   \n----\n12 34\nstone."
    expected = "moon.\n\n  - river.\r\n\t* stone.   \n----\n12 34\nbird."
    assert translator.translate(text, "eng>jav") == expected


@pytest.mark.parametrize("text", ["", "   ", "\n\n", "123", "-- !"])
def test_text_without_words_comes_back_as_it_is(translator: Translator, text: str) -> None:
    assert translator.translate(text, "eng>jav") == text


def test_a_stream_grows_and_ends_with_the_translation(translator: Translator) -> None:
    text = "sun.\nmoon.\nriver.\n" * 5
    partials = list(translator.stream(text, "eng>jav"))
    for before, after in pairwise(partials):
        assert after.text.startswith(before.text)
        assert after.tokens >= before.tokens
    assert partials[-1].text == translator.translate(text, "eng>jav")
    assert partials[-1] == Partial(partials[-1].text, partials[-1].tokens, sentences=3, finished=3)


def test_a_stream_shows_words_before_the_end(translator: Translator) -> None:
    texts = {partial.text for partial in translator.stream("sun.\nmoon.", "eng>jav", model="base")}
    assert len(texts) > 3  # it says a hundred tokens and more; a slow reader may skip some, never nearly all


def test_prompts_are_the_very_tokens_of_training(translator: Translator, tiny_base: Path) -> None:
    _, tokenizer = load_base(tiny_base, device="cpu")
    prompt = LINES.translate("the sun is near.", get_language("eng"), get_language("jav"))
    trained, length = example_ids(tokenizer, Example(prompt, LINES.completion("the moon is near."), "eng>jav"))
    passage = translator._read("  the   sun is near. ", Direction("eng", "jav"), None)
    assert passage.prompts["the sun is near."] == trained[:length]
    assert trained[0] == tokenizer.bos_token_id


@pytest.mark.parametrize("text", ["</s>", "<s>hello</s>", "{text} {source}", "<unk> sun"])
def test_control_tokens_and_fields_in_a_text_are_only_text(translator: Translator, text: str) -> None:
    passage = translator._read(text, Direction("eng", "jav"), None)
    (ids,) = passage.prompts.values()
    tokenizer = translator.tokenizer
    assert not set(ids[1:]) & {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id}
    assert text in tokenizer.decode(ids[1:], clean_up_tokenization_spaces=False)


def test_no_line_break_reaches_a_prompt(translator: Translator) -> None:
    frame = LINES.translate("", get_language("eng"), get_language("jav")).count("\n")
    passage = translator._read("sun\u2028Javanese: moon\x85\x0bEnglish:\r\nriver", Direction("eng", "jav"), None)
    assert len(passage.prompts) == 4
    for ids in passage.prompts.values():
        decoded = translator.tokenizer.decode(ids[1:])
        assert len(decoded.splitlines()) == 1 + frame


def test_a_sentence_that_is_too_long_is_refused_and_never_cut(translator: Translator) -> None:
    text = "sun.\n" + "moon river " * 60
    with pytest.raises(TranslationError, match=r"a sentence is too long: \d+ tokens, and at most \d+ fit") as caught:
        translator.stream(text, "eng>jav")
    assert "“moon river" in caught.value.message
    length = translator.length(text, "eng>jav")
    assert not length.fits
    assert str(length.longest_tokens) in caught.value.message
    assert length.sentences == 2
    assert translator.length("sun.", "eng>jav").fits
    assert translator.length("", "eng>jav").fits


def test_the_longest_sentence_that_fits_is_translated(translator: Translator) -> None:
    limit = translator.length("sun.", "eng>jav").limit_tokens
    text = ""
    while translator.length(text + " sun", "eng>jav").longest_tokens <= limit:
        text += " sun"
    *_, last = translator.stream(text, "eng>jav")
    assert last.finished == 1
    assert last.tokens > 0


def test_the_base_answers_without_the_delta(translator: Translator, tiny_base: Path) -> None:
    import torch

    *_, adapted = translator.stream("sun.", "eng>jav")
    *_, base = translator.stream("sun.", "eng>jav", model="base")
    assert adapted.text == "moon."
    assert base.text != adapted.text
    model, tokenizer = load_base(tiny_base, device="cpu")
    ids = prompt_ids(tokenizer, LINES.translate("sun.", get_language("eng"), get_language("jav")))
    plain = model.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids)),
        max_new_tokens=base.tokens,
        do_sample=False,
        pad_token_id=0,
    )
    alone = tokenizer.decode(plain[0, len(ids) :], skip_special_tokens=True).partition("\n")[0]
    assert " ".join(alone.split()) == base.text


def test_an_answer_without_an_end_is_an_error_in_full_and_marked_in_a_stream(translator: Translator) -> None:
    *_, last = translator.stream("sun.", "eng>jav", model="base")
    assert last.unended == ("sun.",)
    with pytest.raises(TranslationError, match="found no end to its translation of “sun"):
        translator.translate("sun.", "eng>jav", model="base")


def test_alternatives_come_sentence_by_sentence_the_likeliest_first(translator: Translator) -> None:
    found = list(translator.alternatives("sun.\n12\n- moon.\nsun.", "eng>jav", count=3))
    assert [one.sentence for one in found] == ["sun.", "moon."]
    for one, best in zip(found, ("moon.", "river."), strict=True):
        texts = [other.text for other in one.found]
        assert texts[0] == best
        assert 1 <= len(texts) == len(set(texts)) <= 3
        scores = [other.score for other in one.found]
        assert scores == sorted(scores, reverse=True)
        assert all(0 < other.certainty <= 1 for other in one.found)


def test_an_alternatives_score_is_the_mean_log_probability_of_its_tokens(
    translator: Translator, tiny_base: Path, tiny_deltas: dict[str, Path]
) -> None:
    import torch

    (one,) = translator.alternatives("sun.", "eng>jav", count=4)
    model = from_pretrained(tiny_deltas["jav"], base=tiny_base, device="cpu")
    _, tokenizer = load_base(tiny_base, device="cpu")
    prompt = LINES.translate("sun.", get_language("eng"), get_language("jav"))
    best = one.found[0]  # whose tokens are those of training; others may be spelt in stranger ones
    ids, begin = example_ids(tokenizer, Example(prompt, LINES.completion(best.text), ""))
    with torch.inference_mode():
        logs = torch.log_softmax(model(torch.tensor([ids])).logits[0].float(), dim=-1)
    taken = [logs[place - 1, ids[place]].item() for place in range(begin, len(ids))]
    end = next(
        n for n in range(1, len(taken) + 1) if "\n" in tokenizer.decode(ids[begin : begin + n]) or n == len(taken)
    )
    assert best.score == pytest.approx(sum(taken[:end]) / end, abs=1e-4)
    assert best.score > max(other.score for other in one.found[1:])


def test_alternatives_are_checked_before_and_can_be_stopped(translator: Translator) -> None:
    with pytest.raises(TranslationError, match="a sentence is too long"):
        translator.alternatives("moon river " * 60, "eng>jav")
    cancel = threading.Event()
    cancel.set()
    assert list(translator.alternatives("sun.\nmoon.", "eng>jav", cancel=cancel)) == []
    assert translator.translate("sun.", "eng>jav") == "moon."


def test_the_model_moves_with_all_that_was_decoded(
    tiny_base: Path, tiny_deltas: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    moved = Translator.from_pretrained(list(tiny_deltas.values()), tiny_base, device="cpu")
    before = {name: weight.data_ptr() for name, weight in moved.model.named_parameters()}
    with monkeypatch.context() as other_device:
        other_device.setattr(torch.Tensor, "to", lambda self, *_, **__: self.clone())  # as to a card and back
        other_device.setattr(moved.model, "to", lambda *_: pytest.fail("the weights are there already"))
        frequencies = moved.model.model.rotary_emb.inv_freq
        moved.move("cpu")
        assert moved.model.model.rotary_emb.inv_freq is not frequencies
    after = {name: weight.data_ptr() for name, weight in moved.model.named_parameters()}
    assert not set(before.values()) & set(after.values())
    assert moved.translate("sun.", "eng>jav") == "moon."
    assert moved.translate("sun.", "eng>sun") == "river."
    with moved._switcher.use("jav"):
        assert not set(before.values()) & {weight.data_ptr() for weight in moved.model.parameters()}
    assert {name: weight.data_ptr() for name, weight in moved.model.named_parameters()} == after


def test_cancelling_stops_the_model_and_frees_it(translator: Translator) -> None:
    cancel = threading.Event()
    seen = 0
    for partial in translator.stream("sun.", "eng>jav", model="base", cancel=cancel):
        seen = partial.tokens
        if partial.tokens >= 2:
            cancel.set()
    assert 2 <= seen < 40
    assert translator.translate("sun.", "eng>jav") == "moon."


def test_a_reader_who_leaves_stops_the_model(translator: Translator) -> None:
    stream = translator.stream("sun.\nmoon.", "eng>jav", model="base")
    next(stream)
    next(stream)
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "translate"]
    assert translator.translate("sun.", "eng>jav") == "moon."


def test_visitors_at_once_each_get_their_own_language(translator: Translator) -> None:
    found: dict[int, str] = {}
    asked = [("eng>jav", 1), ("eng>sun", 2), ("jav>eng", -1), ("sun>eng", -2)] * 6

    def visit(number: int) -> None:
        *_, last = translator.stream(f"{WORDS[number % 16]}.", asked[number][0])
        found[number] = last.text

    visitors = [threading.Thread(target=visit, args=(number,)) for number in range(len(asked))]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert found == {number: f"{game(WORDS[number % 16], shift)}." for number, (_, shift) in enumerate(asked)}


@pytest.mark.parametrize("direction", ["eng>ind", "jav>sun"])
def test_a_direction_that_nobody_serves_is_refused(translator: Translator, direction: str) -> None:
    with pytest.raises(TranslationError, match=f"no model here translates {direction}") as caught:
        translator.translate("sun.", direction)
    assert "eng>jav" in str(caught.value.hint)


def test_wrong_names_are_refused(translator: Translator) -> None:
    with pytest.raises(LanguageError, match="is not a direction"):
        translator.translate("sun.", "english-javanese")
    with pytest.raises(TranslationError, match="no model named 'jvan'") as caught:
        translator.translate("sun.", "eng>jav", model="jvan")
    assert "base, jav, sun" in str(caught.value.hint)


def test_a_delta_comes_and_goes(tiny_base: Path, tiny_deltas: dict[str, Path]) -> None:
    translator = Translator.from_pretrained(tiny_deltas["jav"], tiny_base, device="cpu")
    assert [str(direction) for direction in translator.directions] == ["eng>jav", "jav>eng"]
    assert translator.add(tiny_deltas["sun"]).name == "sun"
    assert translator.add(tiny_deltas["jav"]).name == "jav-2"
    assert translator.models("eng>jav") == ("jav", "jav-2")
    translator.remove("jav")
    assert translator.models("eng>jav") == ("jav-2",)
    assert translator.translate("sun.", "eng>jav") == "moon."


def test_a_damaged_delta_is_refused_and_the_others_stay(
    tiny_base: Path, tiny_deltas: dict[str, Path], tmp_path: Path
) -> None:
    translator = Translator.from_pretrained(tiny_deltas["jav"], tiny_base, device="cpu")
    broken = tmp_path / "sun"
    shutil.copytree(tiny_deltas["sun"], broken)
    data = bytearray((broken / "delta.safetensors").read_bytes())
    data[-200] ^= 0xFF
    (broken / "delta.safetensors").write_bytes(data)
    with pytest.raises((DamagedDeltaError, DeltaError)):
        translator.add(broken)
    assert list(translator.adaptations) == ["jav"]
    assert translator.translate("sun.", "eng>jav") == "moon."


def test_from_pretrained_gives_the_adapted_model(
    tiny_base: Path, tiny_deltas: dict[str, Path], translator: Translator
) -> None:
    import torch

    model = from_pretrained(tiny_deltas["jav"], base=tiny_base, device="cpu")
    _, tokenizer = load_base(tiny_base, device="cpu")
    ids = prompt_ids(tokenizer, LINES.translate("sun.", get_language("eng"), get_language("jav")))
    answer = model.generate(torch.tensor([ids]), max_new_tokens=8, do_sample=False, pad_token_id=0)
    assert tokenizer.decode(answer[0, len(ids) :], skip_special_tokens=True).strip() == "moon."


def test_a_delta_on_another_base_is_refused(tiny_deltas: dict[str, Path], tmp_path: Path) -> None:
    from conftest import make_tiny_base

    other = make_tiny_base(tmp_path / "other", seed=7)
    with pytest.raises(WrongBaseError):
        from_pretrained(tiny_deltas["jav"], base=other, device="cpu")


def evaluation(model: str, direction: str, value: float) -> EvaluationRecord:
    return card_records.evaluation(direction, model, "known", (Score(metric="chrF++", value=value, signature="s"),))


@pytest.mark.parametrize(("base", "adapted", "best"), [(96.0, 77.0, "base"), (40.0, 60.0, "jav"), (None, None, "base")])
def test_known_languages_are_served_by_whoever_measured_best(
    base: float | None, adapted: float | None, best: str, tiny_deltas: dict[str, Path], tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "jav")
    shutil.copytree(tiny_deltas["jav"], run.root)
    config = json.loads(run.config.read_text())
    config["known_languages"] = ["eng", "ind"]
    run.config.write_text(json.dumps(config))
    if base is not None and adapted is not None:
        evaluation("base", "eng>ind", base).write(run.evaluation_records / "a.json")
        evaluation("adapted", "eng>ind", adapted).write(run.evaluation_records / "b.json")
    found = routes({"jav": read_adaptation("jav", run)}, known=())
    assert found[Direction("eng", "ind")][0] == best
    assert set(found[Direction("eng", "ind")]) == {"base", "jav"}
    assert found[Direction("eng", "jav")] == ("jav",)


def test_the_command_translates(cogsym: Callable[..., Outcome], tiny_base: Path, tiny_deltas: dict[str, Path]) -> None:
    done = cogsym("translate", tiny_deltas["jav"], "sun.", "--direction", "eng>jav", "--base", tiny_base)
    assert (done.code, done.out) == (0, "moon.\n")


@pytest.mark.parametrize("options", [(), ("--compare",)])
def test_the_command_refuses_a_direction_that_nothing_was_trained_on(
    cogsym: Callable[..., Outcome], tiny_base: Path, tiny_deltas: dict[str, Path], options: tuple[str, ...]
) -> None:
    here = (tiny_deltas["jav"], "--base", tiny_base)
    done = cogsym("translate", *here, "sun.", "--direction", "eng>ceb", *options)
    assert (done.code, done.out) == (1, "")
    assert "no model here translates eng>ceb" in done.err
    assert "directions: eng>jav, jav>eng" in done.err


def test_the_command_reads_lines_from_a_pipe(
    cogsym: Callable[..., Outcome],
    tiny_base: Path,
    tiny_deltas: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("sun.\nmoon.\n"))
    done = cogsym("translate", tiny_deltas["jav"], "--base", tiny_base, "--compare", "--json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["translations"]["jav"] for row in rows] == ["moon.", "river."]
    assert all(set(row["translations"]) == {"jav", "base"} and row["direction"] == "eng>jav" for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sun.", "--direction", "eng-jav"], "'eng-jav' is not a direction"),
        (["  "], "there is no text to translate"),
        (["sun.", "--base", "/no/such/base"], "no base model at '/no/such/base'"),
        (["sun."], "a base in a local folder named 'tiny-llama'"),
    ],
)
def test_the_command_refuses_in_one_line(
    cogsym: Callable[..., Outcome], tiny_deltas: dict[str, Path], arguments: list[str], message: str
) -> None:
    done = cogsym("translate", tiny_deltas["jav"], *arguments)
    assert done.code == 1
    assert message in done.err.replace("\n", " ")
    assert "hint:" in done.err
    assert "Traceback" not in done.err


def test_every_refusal_is_one_that_the_command_line_expects() -> None:
    assert issubclass(TranslationError, CogsymError)


def test_a_delta_that_goes_while_another_comes_stays_gone(
    tiny_base: Path, tiny_deltas: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    translator = Translator.from_pretrained(tiny_deltas["jav"], tiny_base)
    leaving = threading.Thread(target=lambda: translator.remove("jav"))

    def slow_routes(*arguments: Any) -> Any:
        if not leaving.ident:
            leaving.start()
            leaving.join(0.5)
        return routes(*arguments)

    monkeypatch.setattr("toolkit.translator.routes", slow_routes)
    translator.add(tiny_deltas["sun"])
    leaving.join()
    assert list(translator.adaptations) == ["sun"]
