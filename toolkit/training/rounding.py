"""8-bit AdamW for weights in bfloat16, which rounds what it writes up or down at random instead of to the nearest.

A step of size 2e-5 on a weight of 0.02 is a third of half the distance between neighbours in bfloat16: rounded to the
nearest it vanishes, every time. Rounded up or down with the probability of its place between the two neighbours, it is
kept in the mean (Zamirai et al., arXiv 2010.06192).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from bitsandbytes import functional
from bitsandbytes.optim import AdamW8bit

from toolkit.training.memory import ROUNDED_AT_ONCE

BLOCK = 256  # weights that share a scale in the 8-bit state; slices begin where a block does


def round_randomly(values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """float32 to bfloat16, up or down with the probability that keeps the mean. `values` is used up."""
    bits = values.view(torch.int32)
    bits += torch.randint(0, 1 << 16, bits.shape, dtype=torch.int32, device=bits.device, generator=generator)
    bits &= -(1 << 16)  # what is left is exact in bfloat16
    return values.to(torch.bfloat16)


class RoundingAdamW8bit(AdamW8bit):  # type: ignore[misc]
    """bitsandbytes' AdamW8bit; weights in bfloat16 are updated in float32, slice by slice, and rounded at random.

    The draws depend on the seed, the step and the parameter's place alone, so that a resumed run and every process of
    several draw the same.

    Args:
        in_32_bits: parameters whose state is kept in 32 bits: embeddings, most rows of which have no gradient.
        seed: of the rounding.
    """

    def __init__(self, params: Any, *, in_32_bits: Iterable[torch.Tensor] = (), seed: int = 0, **settings: Any) -> None:
        super().__init__(params, **settings)
        self._in_32_bits = {id(parameter) for parameter in in_32_bits}
        self._seed = seed

    def get_config(self, gindex: int, pindex: int, group: dict[str, Any]) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config(gindex, pindex, group)
        if id(self.param_groups[gindex]["params"][pindex]) in self._in_32_bits:
            config["optim_bits"] = 32
        return config

    @torch.no_grad()
    def update_step(self, group: dict[str, Any], p: torch.Tensor, gindex: int, pindex: int) -> None:
        if p.dtype != torch.bfloat16:
            super().update_step(group, p, gindex, pindex)
            return
        assert p.grad is not None
        state, config = self.state[p], self.get_config(gindex, pindex, group)
        state["step"] += 1
        generator = torch.Generator(p.device)
        generator.manual_seed(self._seed_of(state["step"], gindex, pindex))
        p.data = p.data.contiguous()
        weights, gradients = p.data.view(-1), p.grad.reshape(-1)
        for start in range(0, p.numel(), ROUNDED_AT_ONCE):
            part = slice(start, start + ROUNDED_AT_ONCE)
            updated = weights[part].float()
            _update(updated, gradients[part].float(), state, part, config)
            weights[part] = round_randomly(updated, generator)

    def _seed_of(self, *numbers: int) -> int:
        mixed = self._seed
        for number in numbers:
            mixed = (mixed * 1_000_003 + number + 1) % 2**63
        return mixed


def _update(
    weights: torch.Tensor, gradients: torch.Tensor, state: dict[str, Any], part: slice, config: dict[str, Any]
) -> None:
    """One step of bitsandbytes' AdamW on this part of a parameter, in float32."""
    first, second = (state[name].view(-1)[part] for name in ("state1", "state2"))
    beta1, beta2 = config["betas"]
    if first.dtype == torch.float32:
        functional.optimizer_update_32bit(
            "adam",
            gradients,
            weights,
            first,
            beta1,
            config["eps"],
            state["step"],
            config["lr"],
            second,
            beta2,
            weight_decay=config["weight_decay"],
        )
        return
    blocks = slice(part.start // BLOCK, -(-part.stop // BLOCK))
    functional.optimizer_update_8bit_blockwise(
        "adam",
        gradients,
        weights,
        first,
        second,
        beta1,
        beta2,
        0.0,
        0.0,
        config["eps"],
        state["step"],
        config["lr"],
        state["qmap1"],
        state["qmap2"],
        state["absmax1"][blocks],
        state["absmax2"][blocks],
        config["weight_decay"],
    )
