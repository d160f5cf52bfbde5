"""The lens: its last layer is the model's own answer, its numbers do not depend on how rows are batched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from conftest import WORDS

from toolkit.analysis.hidden import Decoder, last, mean, mean_after_first
from toolkit.analysis.language_tokens import coverage, telling_tokens, words_of
from toolkit.analysis.lens import read_lens
from toolkit.analysis.lens_record import LensRecord
from toolkit.analysis.parallel_text import read_text, read_words
from toolkit.errors import BaseModelError, CorpusError, LanguageError
from toolkit.pretrained import from_pretrained, load_base
from toolkit.run_folder import RunFolder
from toolkit.tokens import prompt_ids

Run = Callable[..., Any]

SMALL: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
ROWS = [[1, 5, 9, 3], [1, 7], [1, 8, 8, 2, 40, 33, 12]]


def small_model(family: str) -> Any:
    """A random model of three layers; its weights are large enough that a missing step would show."""
    import transformers

    config = getattr(transformers, f"{family}Config")(**SMALL)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.3 if parameter.dim() == 1 else 0.0, 0.3)
    return model


@pytest.fixture
def parallel(tmp_path: Path) -> Path:
    """Sentences in three languages whose words begin differently; `sun` is a copy of `jav`."""
    pairs = [(a, b) for a in WORDS[:4] for b in WORDS[4:8]]
    lines = [f"the {a} is near {b}\tke {b} at {a} foo\tke {b} at {a} foo." for a, b in pairs]
    path = tmp_path / "parallel.tsv"
    path.write_text("eng\tjav\tsun\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("family", ["Llama", "Mistral", "Qwen2", "Qwen3", "Gemma", "Gemma2", "Gemma3Text"])
def test_the_lens_at_the_last_layer_is_the_model_s_own_answer(family: str) -> None:
    model = small_model(family)
    decoder = Decoder(model)
    decoder.check(ROWS[0])
    states = decoder.states(ROWS, last)
    assert states.shape == (4, 3, 16)
    lens = decoder.probabilities(states)
    for place, row in enumerate(ROWS):
        with torch.inference_mode():
            own = model(input_ids=torch.tensor([row])).logits[0, -1].softmax(-1)
        torch.testing.assert_close(lens[-1, place], own, rtol=1e-3, atol=1e-5)
        assert not torch.allclose(lens[-2, place], own, rtol=1e-1, atol=1e-3)  # a layer earlier it is another one


def test_a_model_that_does_more_after_its_last_layer_is_refused() -> None:
    model = small_model("Llama")
    forward = model.forward

    def scaled(*inputs: Any, **named: Any) -> Any:
        return SimpleNamespace(logits=0.1 * forward(*inputs, **named).logits)

    model.forward = scaled
    with pytest.raises(BaseModelError, match="does more between its last layer and its answer"):
        Decoder(model).check(ROWS[0])


@pytest.mark.parametrize("family", ["Llama", "Gemma3Text"])
@pytest.mark.parametrize("reduce", [last, mean, mean_after_first])
def test_padding_changes_nothing(family: str, reduce: Any) -> None:
    decoder = Decoder(small_model(family))
    together = decoder.states(ROWS, reduce)
    alone = torch.cat([decoder.states([row], reduce) for row in ROWS], dim=1)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_state_0_is_what_enters_the_first_layer_scaled_where_the_model_scales_it() -> None:
    for family, scale in (("Llama", 1.0), ("Gemma2", 4.0)):  # the square root of 16
        model = small_model(family)
        states = Decoder(model).states([[1, 5]], last)
        torch.testing.assert_close(states[0, 0], scale * model.get_input_embeddings().weight[5].detach())


def test_words_are_what_stands_between_spaces_without_punctuation() -> None:
    assert words_of("«Omah», iku 12 apik! - o'clock नमस्ते।") == ["Omah", "iku", "apik", "o'clock", "नमस्ते"]


def test_telling_tokens_begin_words_of_one_language_alone(tiny_base: Path) -> None:
    _, tokenizer = load_base(tiny_base)
    texts = {"eng": ["the river is near"], "jav": ["xu near zo"]}
    telling = telling_tokens(tokenizer, texts)
    river, near = (tokenizer(word, add_special_tokens=False).input_ids[0] for word in ("river", "near"))
    assert river in telling["eng"]
    assert near not in telling["eng"] | telling["jav"]
    assert not telling["eng"] & telling["jav"]
    assert coverage(tokenizer, ["river near", "near river"], telling["eng"]) == 0.5
    with pytest.raises(CorpusError, match="every word in the jav text begins with a token that another language uses"):
        telling_tokens(tokenizer, {"jav": ["river"], "eng": ["the river"]})


def test_probabilities_are_those_of_the_model_summed_over_its_telling_tokens(
    tiny_base: Path, tiny_deltas: dict[str, Path], parallel: Path
) -> None:
    text = read_text(parallel, languages=("eng", "jav"))
    run = RunFolder(tiny_deltas["jav"])
    record = read_lens(text, run=run, base=tiny_base, directions=["eng>jav"])
    assert record.models == ["base", "adapted"]
    assert record.trained_layers == (0, 3)
    _, tokenizer = load_base(tiny_base)
    tokens = sorted(
        telling_tokens(tokenizer, {code: [row[code] for row in text.rows] for code in ("eng", "jav")})["jav"]
    )
    for name, model in (("base", load_base(tiny_base)[0]), ("adapted", from_pretrained(run.root, base=tiny_base))):
        found = []
        for row in text.rows:
            ids = torch.tensor([prompt_ids(tokenizer, f"English: {row['eng']}\nJavanese:")])
            with torch.inference_mode():
                found.append(float(model(input_ids=ids).logits[0, -1].float().softmax(-1)[tokens].sum()))
        curve = record.curve(name, "eng>jav")
        assert curve is not None
        assert len(curve.probability["jav"]) == 5
        assert curve.probability["jav"][-1] == pytest.approx(sum(found) / len(found), rel=1e-3)
    base, adapted = (record.curve(name, "eng>jav") for name in ("base", "adapted"))
    assert base is not None
    assert adapted is not None
    assert base.probability != adapted.probability


def test_a_sentence_is_wholly_like_itself_and_more_like_its_translation_than_like_another(
    tiny_base: Path, tmp_path: Path
) -> None:
    lines = [f"{a} {b} {a}\t{a}  {b} {a}." for a, b in zip(WORDS[:6], WORDS[6:12], strict=True)]
    path = tmp_path / "same.tsv"
    path.write_text("eng\tjav\n" + "\n".join(lines) + "\n", encoding="utf-8")
    words = {"eng": ["the"], "jav": ["zu"]}
    text = read_text(path)
    (curve,) = read_lens(text, words=words, base=tiny_base).alike
    assert curve.languages == ("eng", "jav")
    assert all(high > low for high, low in zip(curve.translations, curve.unrelated, strict=True))

    same = tuple({"eng": row["eng"], "jav": row["eng"]} for row in text.rows)
    (curve,) = read_lens(type(text)(text.name, "", same, text.languages), words=words, base=tiny_base).alike
    assert curve.translations == pytest.approx([1.0] * 5, abs=1e-5)


def test_directions_are_the_delta_s_or_those_asked_for(
    tiny_base: Path, tiny_deltas: dict[str, Path], parallel: Path
) -> None:
    text = read_text(parallel, languages=("eng", "jav"), limit=4)
    run = RunFolder(tiny_deltas["jav"])
    assert read_lens(text, run=run, base=tiny_base).directions == ["eng>jav", "jav>eng"]
    assert read_lens(text, base=tiny_base).directions == ["eng>jav"]
    with pytest.raises(CorpusError, match="eng>ind asks for ind"):
        read_lens(text, run=run, base=tiny_base, directions=["eng>ind"])


def test_word_lists_may_be_of_different_lengths_and_none_may_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_text("eng\tjav\tsun\nhouse\tomah\t\nriver\t\t\n", encoding="utf-8")
    assert read_words(path, ("eng", "jav")) == {"eng": ["house", "river"], "jav": ["omah"]}
    with pytest.raises(CorpusError, match="lists no word in sun"):
        read_words(path, ("eng", "sun"))


@pytest.mark.parametrize(
    ("content", "options", "error", "message"),
    [
        ("", {}, CorpusError, "is empty"),
        ("eng\tjav\n", {}, CorpusError, "no rows"),
        ("eng\tjav\na\tb\n", {}, CorpusError, "holds 1 row"),
        ("english\tjavanese\na\tb\nc\td\n", {}, CorpusError, r"0 column\(s\) of a known language"),
        ("eng\tjav\na\tb\nc\td\n", {"languages": ("eng", "ind")}, CorpusError, "no column 'ind'"),
        ("eng\tjav\na\tb\nc\td\n", {"languages": ("eng", "jw")}, LanguageError, "unknown language 'jw'"),
    ],
)
def test_text_that_cannot_be_read_is_told(
    tmp_path: Path, content: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    path = tmp_path / "text.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(error, match=message):
        read_text(path, **options)


def test_the_command_prints_layers_and_writes_numbers_and_figures(
    cogsym: Run, tiny_base: Path, tiny_deltas: dict[str, Path], parallel: Path, tmp_path: Path
) -> None:
    out = tmp_path / "lens"
    columns = "eng=eng,jav=jav"
    command = ("lens", tiny_deltas["jav"], "--base", tiny_base, "--text", parallel, "--columns", columns, "--out", out)
    outcome = cogsym(*command)
    assert outcome.code == 0, outcome.err
    assert "asked for eng>jav" in outcome.out
    assert "adapted jav" in outcome.out
    assert "cosine similarity" in outcome.out
    record = LensRecord.read(out / "lens.json")
    assert record.rows == 16
    assert str(tmp_path) not in (out / "lens.json").read_text(encoding="utf-8")
    for name, labels in {
        "languages": (
            "English → Javanese",
            "with the delta",
            "Javanese",
            "probability",
            "16 sentences of parallel.tsv",
        ),
        "similarity": ("English and Javanese", "cosine similarity", "with the delta", "emb"),
    }.items():
        assert (out / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        shown = "\n".join(ElementTree.parse(out / "figures" / f"{name}.svg").getroot().itertext())
        for label in labels:
            assert label in shown
    assert "exists already" in cogsym(*command).err


def test_the_command_reads_a_base_alone_and_tells_what_it_lacks(
    cogsym: Run, tiny_base: Path, parallel: Path, tmp_path: Path
) -> None:
    options = ("--text", parallel, "--languages", "eng,jav", "--limit", "4")
    outcome = cogsym("lens", "--base", tiny_base, *options, "--out", tmp_path / "a", "--json")
    assert outcome.code == 0, outcome.err
    assert [curve["model"] for curve in json.loads(outcome.out)["speaks"]] == ["base"]
    assert "which model should be read?" in cogsym("lens", *options, "--out", tmp_path / "b").err
    wrong = cogsym("lens", "--base", tiny_base, "--text", parallel, "--columns", "eng", "--out", tmp_path / "c")
    assert "names no column" in wrong.err
