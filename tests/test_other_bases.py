"""Bases whose files or parts differ from Llama's: trained whole, or refused before anything was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from conftest import make_tiny_base
from safetensors.torch import load_file, save_file
from training_runs import recipe, write_corpus
from transformers import AutoModelForCausalLM

from toolkit.adaptation import prepare, train_delta
from toolkit.delta import merge
from toolkit.errors import BaseModelError
from toolkit.pretrained import from_pretrained
from toolkit.recipe.fields import usual_learning_rate
from toolkit.selection import layout_of, read_layout, resolve_selection


def tied_base_that_stores_its_head(folder: Path) -> Path:
    base = make_tiny_base(folder, tied=True)
    weights = load_file(base / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    save_file(weights, base / "model.safetensors", {"format": "pt"})
    return base


def test_a_merged_model_is_the_trained_one_where_tied_weights_are_stored_twice(tmp_path: Path) -> None:
    base = tied_base_that_stores_its_head(tmp_path / "base")
    plan = prepare(recipe(write_corpus(tmp_path), base, select="cogsym:2", learning_rate=1e-2), tmp_path / "run")
    train_delta(plan)
    merge(plan.run.delta, base, tmp_path / "merged")
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)(ids).logits
        live = from_pretrained(plan.run.root, base=base, dtype="float32")(ids).logits
        before = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)(ids).logits
    assert torch.equal(merged, live)
    assert not torch.allclose(merged, before, atol=1e-3)


def test_a_base_whose_files_call_its_tensors_otherwise_is_refused_before_training(tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base")
    weights = load_file(base / "model.safetensors")
    renamed = {name.replace("model.layers", "language_model.layers"): tensor for name, tensor in weights.items()}
    save_file(renamed, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(BaseModelError, match=r"hold no tensor model\.layers\.0.*called otherwise there"):
        prepare(recipe(write_corpus(tmp_path), base, select="cogsym:2"), tmp_path / "run")


SMALL: dict[str, Any] = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.mark.parametrize(
    "config",
    [
        transformers.GPT2Config(vocab_size=64, n_embd=16, n_layer=2, n_head=2, n_positions=32),
        transformers.BloomConfig(vocab_size=64, hidden_size=16, n_layer=2, n_head=2),
        transformers.GPTNeoXConfig(**SMALL, intermediate_size=32),
        transformers.OPTConfig(**SMALL, ffn_dim=32, word_embed_proj_dim=16, max_position_embeddings=32),
        transformers.LlamaConfig(**SMALL, intermediate_size=32),
    ],
    ids=lambda config: config.model_type,
)
def test_full_is_every_weight_of_any_decoder(config: Any) -> None:
    layout = layout_of(AutoModelForCausalLM.from_config(config))
    full = resolve_selection("full", layout)
    assert sorted(full.parameters) == sorted(layout.shapes)
    assert full.trained_weights == full.total_weights
    assert len(layout.final_norm) in (1, 2)
    assert not any("emb" in name for name in layout.final_norm)


def test_a_model_without_attention_is_refused() -> None:
    mamba = AutoModelForCausalLM.from_config(
        transformers.MambaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=2, state_size=4)
    )
    with pytest.raises(BaseModelError, match="MambaForCausalLM has no attention"):
        layout_of(mamba)


def test_a_model_that_fills_gaps_is_no_decoder(tmp_path: Path) -> None:
    bert = transformers.BertForMaskedLM(
        transformers.BertConfig(
            vocab_size=64, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
        )
    )
    bert.save_pretrained(tmp_path)
    with pytest.raises(BaseModelError, match="BertForMaskedLM fills gaps in a text that it sees whole"):
        read_layout(tmp_path)


def test_random_neurons_learn_at_the_rate_of_those_they_are_compared_with() -> None:
    assert usual_learning_rate("weights", "random:subnetwork:1%") == usual_learning_rate("weights", "subnetwork:1%")
    assert usual_learning_rate("weights", "random:cogsym:25%") == usual_learning_rate("weights", "cogsym:25%")
