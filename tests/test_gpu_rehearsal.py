"""What waits for a graphics card, as far as a CPU can take it: the same code on a tiny model, no figures."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from toolkit.selection import possible_selections, read_layout
from toolkit.training import preflight

sys.path += [str(Path(__file__).parent / folder) for folder in ("gpu", "benchmarks/plan")]
import run as plans
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


@pytest.mark.parametrize("case", plans.CASES, ids=lambda case: case.name)
def test_every_plan_that_is_held_against_a_peak_can_be_trained(case: plans.Case, tmp_path: Path) -> None:
    tiny = replace(case, width=64, feed_forward=96, layers=8, heads=2, keys=2, vocabulary=512)
    base = plans.make_base(tiny, tmp_path / "base")
    recipe, layout = plans.recipe_of(tiny, base, tmp_path / "text.txt"), read_layout(base)
    preflight(recipe, possible_selections(recipe, layout)[-1], layout)
