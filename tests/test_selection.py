"""Which weights a selection means, on the real shape of Llama-2-7B and on small models of other kinds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from toolkit.errors import BaseModelError, SelectionError
from toolkit.recipes import known_config
from toolkit.selection import (
    METHODS,
    ModelLayout,
    describe_layers,
    describe_parameters,
    layout_of,
    looks_at,
    read_layout,
    resolve_selection,
)
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
        ("shifted:8@0", (0, 1, 2, 3, 28, 29, 30, 31), True, True),
        ("shifted:8@4", (4, 5, 6, 7, 24, 25, 26, 27), True, True),
        ("shifted:25%@8", (8, 9, 10, 11, 20, 21, 22, 23), True, True),
        ("shifted:8@12", tuple(range(12, 20)), True, True),
        ("shifted:2@15", (15, 16), True, True),
        ("final", (31,), False, False),
        ("final:7%", (30, 31), False, False),
        ("final:1%", (31,), False, False),
        ("final:100%", tuple(range(32)), False, False),
        ("final:3", (29, 30, 31), False, False),
        ("ffn", tuple(range(32)), False, False),
        ("ffn:4", (0, 1, 30, 31), False, False),
        ("ffn:rear:2", (30, 31), False, False),
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


def test_names_of_a_selection_are_told_layer_by_layer_at_once(llama_7b: ModelLayout) -> None:
    names = describe_parameters(resolve_selection("cogsym:25%", llama_7b).parameters)
    assert len(names) == 1 + 9 + 1
    assert names[:2] == ["model.embed_tokens.weight", "model.layers.{0-3,28-31}.self_attn.q_proj.weight"]
    assert names[-1] == "lm_head.weight"
    front = describe_parameters(resolve_selection("front:1", llama_7b).parameters)
    assert "model.layers.0.mlp.up_proj.weight" in front


def test_a_model_of_one_layer_has_no_two_ends() -> None:
    with torch.device("meta"):
        layout = layout_of(LlamaForCausalLM(LlamaConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2)))
    for text in ("cogsym:25%", "shifted:2@0", "random:cogsym:25%"):
        with pytest.raises(SelectionError, match="a model of one layer has no two ends"):
            resolve_selection(text, layout)
    assert resolve_selection("full", layout).layers == resolve_selection("final:5%", layout).layers == (0,)


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
        ("", "unknown selection ''"),
        ("shifted:8", "how far to shift"),
        ("shifted:8@x", "how far to shift"),
        ("shifted:8@-1", "how far to shift"),
        ("shifted:8@13", "overlap in a model of 32"),
        ("shifted:7@1", "odd"),
        ("final:0%", "not a share"),
        ("final:0", "does not fit a model of 32"),
        ("final:101%", "not a share"),
        ("ffn:3", "odd"),
        ("ffn:nonsense", "unknown selection 'nonsense'"),
        ("random:full:3", "takes no budget"),
        ("fisher:0%", "not a share"),
        ("fisher:33", "does not fit a model of 32"),
        ("subnetwork:8", "not a share of the weights"),
        ("subnetwork:0%", "not a share"),
        ("fisher", "looks at the base's weights"),
        ("alpha:8", "looks at the base's weights"),
        ("random:neurons-count:8", "looks at the base's weights"),
        ("ffn:fisher", "looks at the base's weights"),
    ],
)
def test_a_selection_that_does_not_fit_is_refused(llama_7b: ModelLayout, text: str, message: str) -> None:
    with pytest.raises(SelectionError) as caught:
        resolve_selection(text, llama_7b)
    assert message in caught.value.message
    assert caught.value.hint


def test_final_counts_its_share_of_all_the_weights(llama_7b: ModelLayout) -> None:
    for share in (5, 9, 10, 50):
        selection = resolve_selection(f"final:{share}%", llama_7b)
        assert selection.share <= share / 100 < selection.share + LAYER_7B_WEIGHTS / LLAMA_7B_WEIGHTS


def test_ffn_trains_three_matrices_a_layer_and_nothing_else(llama_7b: ModelLayout) -> None:
    selection = resolve_selection("ffn", llama_7b)
    assert len(selection.parameters) == 3 * 32
    assert all(
        name.rpartition(".mlp.")[2].removesuffix("_proj.weight") in ("gate", "up", "down")
        for name in selection.parameters
    )
    assert selection.trained_weights == 32 * 3 * 4096 * 11008


@pytest.mark.parametrize("like", ["cogsym:25%", "rear:8", "full", "ffn:8", "final:3"])
def test_random_trains_as_many_weights_as_what_it_imitates(llama_7b: ModelLayout, like: str) -> None:
    imitated = resolve_selection(like, llama_7b)
    drawn = [resolve_selection(f"random:{like}", llama_7b, seed=seed) for seed in (0, 0, 1, 2)]
    assert {one.trained_weights for one in drawn} == {imitated.trained_weights}
    assert drawn[0] == drawn[1]
    assert like == "full" or len({one.layers for one in drawn}) > 1
    assert drawn[0].layers == tuple(sorted(set(drawn[0].layers)))
    assert drawn[3].evidence == {"like": like, "seed": 2}


def test_random_alone_imitates_the_default_and_a_bare_budget_cogsym_s(llama_7b: ModelLayout) -> None:
    assert resolve_selection("random", llama_7b).evidence["like"] == "cogsym:25%"
    assert resolve_selection("random:8", llama_7b).evidence["like"] == "cogsym:8"


def test_random_layers_come_from_the_whole_model(llama_7b: ModelLayout) -> None:
    drawn = {layer for seed in range(60) for layer in resolve_selection("random:8", llama_7b, seed=seed).layers}
    assert drawn == set(range(32))


@pytest.mark.parametrize("text", METHODS)
def test_each_documented_example_can_be_read(llama_7b: ModelLayout, text: str) -> None:
    wanted = looks_at(text, llama_7b)
    ranked = {"fisher": "examples", "alpha": "weights", "neurons-count": "texts", "subnetwork": "texts"}
    assert wanted == ranked.get(text.partition(":")[0])


def test_a_method_that_is_nearly_spelled_is_suggested(llama_7b: ModelLayout) -> None:
    with pytest.raises(SelectionError) as caught:
        resolve_selection("fischer:8", llama_7b)
    assert caught.value.hint == "did you mean fisher?"


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
