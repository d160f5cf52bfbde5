"""8-bit AdamW on weights in bfloat16: small steps are kept in the mean, and everything can be repeated."""

from __future__ import annotations

from typing import Any

import pytest
import torch

pytest.importorskip("bitsandbytes", reason="needs bitsandbytes: pip install 'cogsym-toolkit[8bit]'")
from bitsandbytes.optim import AdamW8bit

from toolkit.training import rounding
from toolkit.training.rounding import RoundingAdamW8bit, round_randomly

SHAPE = (64, 128)  # more than the 4,096 weights from which on the state is in 8 bits


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def start(dtype: torch.dtype = torch.bfloat16) -> torch.nn.Parameter:
    return torch.nn.Parameter((0.02 * torch.randn(SHAPE, generator=generator(1))).bfloat16().to(dtype))


def train(parameter: torch.nn.Parameter, optimizer: Any, steps: int, first: int = 0) -> torch.Tensor:
    """Steps along a direction that stays the same for each weight, with noise; returns how far it came."""
    before = parameter.detach().float().clone()
    direction = torch.randn(SHAPE, generator=generator(2))
    for step in range(first, first + steps):
        noise = torch.randn(SHAPE, generator=generator(100 + step))
        parameter.grad = (direction + 0.5 * noise).to(parameter.dtype)
        optimizer.step()
    return parameter.detach().float() - before


def test_rounding_keeps_the_mean_and_never_goes_further_than_a_neighbour() -> None:
    values = torch.tensor([0.02, -0.02, 1.0, 0.0, 3.0e-5, -1234.567])
    draws = torch.stack([round_randomly(values.clone(), generator(seed)).float() for seed in range(2000)])
    distance = torch.exp2(torch.floor(torch.log2(values.abs().clamp(min=1e-30))) - 7)  # between neighbours there
    assert ((draws - values).abs() < distance).all()
    assert ((draws.mean(0) - values).abs() < 0.1 * distance).all()
    exact = values.bfloat16().float() == values
    assert (draws[:, exact] == values[exact]).all()


def test_steps_that_rounding_to_the_nearest_loses_are_kept() -> None:
    settings: dict[str, Any] = {"lr": 2e-5, "weight_decay": 0.0}
    exact = start(torch.float32)
    wanted = train(exact, AdamW8bit([exact], **settings), 100)

    def share_of_way(parameter: torch.nn.Parameter, optimizer: Any) -> float:
        came = train(parameter, optimizer, 100)
        return float((came * wanted).sum() / (wanted * wanted).sum())

    nearest, at_random = start(), start()
    assert share_of_way(nearest, AdamW8bit([nearest], **settings)) < 0.5
    assert share_of_way(at_random, RoundingAdamW8bit([at_random], **settings)) == pytest.approx(1, abs=0.05)


def test_slices_change_nothing_but_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a large step, what the optimiser does to 1,024 weights at a time is what it does to all at once."""
    whole, sliced = start(), start()
    came = train(whole, RoundingAdamW8bit([whole], lr=1e-2, weight_decay=0.1), 5)
    monkeypatch.setattr(rounding, "ROUNDED_AT_ONCE", 1024)
    assert torch.allclose(train(sliced, RoundingAdamW8bit([sliced], lr=1e-2, weight_decay=0.1), 5), came, atol=3e-3)


def test_weights_in_float32_are_left_to_bitsandbytes() -> None:
    own, theirs = start(torch.float32), start(torch.float32)
    train(own, RoundingAdamW8bit([own], lr=1e-3), 3)
    train(theirs, AdamW8bit([theirs], lr=1e-3), 3)
    assert torch.equal(own, theirs)


def test_embeddings_keep_a_state_in_32_bits() -> None:
    embeddings, other = start(), start()
    optimizer = RoundingAdamW8bit([embeddings, other], in_32_bits=[embeddings], lr=1e-3)
    for parameter in (embeddings, other):
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert optimizer.state[embeddings]["state1"].dtype == torch.float32
    assert optimizer.state[other]["state1"].dtype == torch.uint8


def test_what_is_drawn_depends_on_seed_and_step_alone() -> None:
    def came(seed: int) -> torch.Tensor:
        parameter = start()
        torch.rand(seed + 1)  # whatever else drew numbers in between
        return train(parameter, RoundingAdamW8bit([parameter], lr=2e-5, seed=seed), 4)

    assert torch.equal(came(0), came(0))
    assert not torch.equal(came(0), came(1))
    stopped = start()
    first = RoundingAdamW8bit([stopped], lr=2e-5)
    train(stopped, first, 2)
    resumed = torch.nn.Parameter(stopped.detach().clone())
    second = RoundingAdamW8bit([resumed], lr=2e-5)
    second.load_state_dict(first.state_dict())
    train(stopped, first, 2, first=2)
    train(resumed, second, 2, first=2)
    assert torch.equal(stopped, resumed)
