"""Which weights a selection means, on the real shape of Llama-2-7B and on small models of other kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import BaseModelError, SelectionError
from toolkit.recipes import known_config
from toolkit.selection import ModelLayout, describe_layers, layout_of, read_layout, resolve_selection
from toolkit.selection.budget import layers_for, parse_layers

LLAMA_7B_WEIGHTS = 6_738_415_616
LAYER_7B_WEIGHTS = 202_383_360
EMBEDDING_7B_WEIGHTS = 131_072_000


@pytest.fixture(scope="module")
def llama_7b() -> ModelLayout:
    folder = known_config("meta-llama/Llama-2-7b-hf")
    assert folder is not None
    return read_layout(folder)


def test_cogsym_is_the_paper_s_selection(llama_7b: ModelLayout) -> None:
    selection = resolve_selection("cogsym:25%", llama_7b)
    assert selection.layers == (0, 1, 2, 3, 28, 29, 30, 31)
    assert selection.embeddings
    assert selection.head
    assert not selection.final_norm
    assert selection.total_weights == LLAMA_7B_WEIGHTS
    assert selection.trained_weights == 8 * LAYER_7B_WEIGHTS + 2 * EMBEDDING_7B_WEIGHTS
    assert round(selection.share, 3) == 0.279
    assert selection.parameters[0] == "model.embed_tokens.weight"
    assert selection.parameters[1] == "model.layers.0.self_attn.q_proj.weight"
    assert selection.parameters[-1] == "lm_head.weight"
    assert len(selection.parameters) == 8 * 9 + 2


@pytest.mark.parametrize(
    ("text", "layers", "embeddings", "head"),
    [
        ("cogsym", (0, 1, 2, 3, 28, 29, 30, 31), True, True),
        ("cogsym:2", (0, 31), True, True),
        ("front:8", tuple(range(8)), True, False),
        ("rear:25%", tuple(range(24, 32)), False, True),
        ("middle:8", tuple(range(12, 20)), False, False),
        ("full", tuple(range(32)), True, True),
        ("layers:0-3,28-31", (0, 1, 2, 3, 28, 29, 30, 31), False, False),
        ("layers:5", (5,), False, False),
    ],
)
def test_each_method_picks_its_layers(
    llama_7b: ModelLayout, text: str, layers: tuple[int, ...], embeddings: bool, head: bool
) -> None:
    selection = resolve_selection(text, llama_7b)
    assert (selection.layers, selection.embeddings, selection.head) == (layers, embeddings, head)


def test_full_is_every_weight(llama_7b: ModelLayout) -> None:
    selection = resolve_selection("full", llama_7b)
    assert set(selection.parameters) == set(llama_7b.shapes)
    assert selection.share == 1


def test_the_rule_for_embeddings_and_head_can_be_switched(llama_7b: ModelLayout) -> None:
    selection = resolve_selection("middle:8", llama_7b, embeddings=True, head=True, final_norm=True)
    assert {"model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"} <= set(selection.parameters)
    assert "lm_head.weight" not in resolve_selection("cogsym", llama_7b, head=False).parameters


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cogsym:7", "odd"),
        ("cogsym:34", "does not fit a model of 32"),
        ("front:0", "does not fit"),
        ("front:33", "does not fit a model of 32"),
        ("cogsym:120%", "not a share"),
        ("cogsym:0%", "not a share"),
        ("cogsym:many", "neither layers nor a share"),
        ("front:-2", "neither layers nor a share"),
        ("full:8", "takes no budget"),
        ("layers:", "not a list of layers"),
        ("layers:30-33", "not in this model"),
        ("layers:3-1", "not in this model"),
        ("cogsin:8", "unknown selection 'cogsin'"),
    ],
)
def test_a_selection_that_does_not_fit_is_refused(llama_7b: ModelLayout, text: str, message: str) -> None:
    with pytest.raises(SelectionError) as caught:
        resolve_selection(text, llama_7b)
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("budget", "layers", "even", "expected"),
    [
        ("25%", 32, True, 8),
        ("25%", 16, True, 4),
        ("25%", 22, True, 6),
        ("1%", 32, True, 2),
        ("100%", 5, True, 4),
        ("25%", 22, False, 6),
        ("12.5%", 32, False, 4),
        ("3", 32, False, 3),
        ("1%", 32, False, 1),
    ],
)
def test_a_share_becomes_a_number_of_layers(budget: str, layers: int, even: bool, expected: int) -> None:
    assert layers_for(budget, layers, even=even) == expected


def test_ranges_read_and_print_the_same() -> None:
    assert parse_layers("0-3, 28-31,5", 32) == (0, 1, 2, 3, 5, 28, 29, 30, 31)
    assert describe_layers((0, 1, 2, 3, 5, 28, 29)) == "0-3, 5, 28-29"
    assert describe_layers(()) == "none"


SIZES = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text"])
def test_decoders_of_other_kinds_have_the_same_layout(kind: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(kind, **SIZES, head_dim=8)
    with torch.device("meta"):
        layout = layout_of(AutoModelForCausalLM.from_config(config))
    selection = resolve_selection("cogsym:2", layout)
    assert selection.layers == (0, 3)
    assert layout.final_norm
    assert layout.tied == kind.startswith("gemma")
    outside = set(layout.shapes) - {name for layer in layout.layers for name in layer}
    assert outside == {layout.embeddings, layout.head, *layout.final_norm}


def test_tied_embeddings_train_once_and_with_the_head() -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.device("meta"):
        layout = layout_of(LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=True)))
    selection = resolve_selection("rear:1", layout)
    assert selection.embeddings
    assert selection.head
    assert selection.parameters.count("model.embed_tokens.weight") == 1
    assert "lm_head.weight" not in selection.parameters


def test_a_model_that_is_no_decoder_is_refused_by_the_missing_part(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(BaseModelError, match="no causal language model"):
        read_layout(tmp_path)
    with pytest.raises(BaseModelError):
        read_layout(tmp_path / "nothing")
