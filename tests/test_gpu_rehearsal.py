"""What waits for a graphics card, as far as a CPU can take it: the same code on a tiny model, no figures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.insert(0, str(Path(__file__).parent / "gpu"))
import training_speed

TINY = LlamaConfig(
    hidden_size=64, intermediate_size=128, num_hidden_layers=8, num_attention_heads=4, vocab_size=512, pad_token_id=0
)


@pytest.mark.parametrize("way", training_speed.WAYS)
def test_every_way_of_the_speed_benchmark_trains(way: str) -> None:
    torch.manual_seed(0)
    point = training_speed.measure(way, TINY, torch.device("cpu"))
    assert point["step_seconds"] > 0
    assert 4 < point["loss"] < 8  # of random weights and examples: about ln 512
    everything = LlamaForCausalLM(TINY).num_parameters()
    assert (point["trained_parameters"] == everything) == (way == "full")
