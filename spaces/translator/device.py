"""Where the model runs: on what this machine has of its own, or on cards that ZeroGPU lends; decided at start-up."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

# Not measured on ZeroGPU: what a card that has to fetch a 7B model first, and then writes with it, may need.
START_SECONDS = 20
TOKENS_A_SECOND = 20
MAX_SECONDS = 120


@dataclass(frozen=True)
class Device:
    """What there is to compute on."""

    kind: Literal["own", "zerogpu"]  # whether `own` is a card or processors is seen once the model is loaded
    gpu: Callable[..., Any] | None = None  # `spaces.GPU` where cards are lent

    def lend(self, function: Callable[..., Any], seconds: Callable[..., int]) -> Callable[..., Any]:
        """The function, for which a card is lent during `seconds` of its arguments where cards are lent.

        It runs in another process then: its arguments, and what it yields, must be plain values.
        """
        return self.gpu(duration=seconds)(function) if self.gpu else function


def find_device(environment: Mapping[str, str] = os.environ) -> Device:
    """What this machine offers. Call it before anything imports torch, which ZeroGPU has to be there before."""
    if environment.get("SPACES_ZERO_GPU", "").lower() in {"1", "t", "true"}:
        # A folder named `spaces` on the path imports as an empty package, so the attribute decides.
        gpu = getattr(importlib.import_module("spaces"), "GPU", None)
        if gpu is not None:
            return Device("zerogpu", gpu)
    return Device("own")


def seconds_for(sentences: int, longest_tokens: int, at_once: int) -> int:
    """How long a card is asked for: too short ends a translation early, too long uses up a visitor's quota.

    Args:
        sentences: in the text.
        longest_tokens: of its longest sentence.
        at_once: sentences that the model answers together.
    """
    batches = -(-max(1, sentences) // at_once)
    answer_tokens = 2 * longest_tokens + 16
    return min(MAX_SECONDS, START_SECONDS + batches * answer_tokens // TOKENS_A_SECOND)
