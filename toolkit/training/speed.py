"""How long training takes: the arithmetic of the passes over the rate at which this machine multiplies matrices.

A token costs two operations per weight of every matrix on the way forward, two more on the way back through each layer
above the lowest that trains, and two more for the gradient of each weight that trains (Kaplan et al. 2020,
arXiv 2001.08361). Attention adds its two products of T x T. Checkpointing runs the layers once more.

Reading memory, norms, the loss and the optimiser take time that this leaves out; `EFFICIENCY` stands for them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from toolkit.prompts import Example
from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout
from toolkit.tokens import example_ids
from toolkit.training.gathering import TEXT
from toolkit.training.memory import Setup, Shape

EFFICIENCY = 0.5  # share of the measured matrix rate that training reaches
_MEASURED_SECONDS = 0.2
_SAMPLED_EXAMPLES = 200


def flops_per_token(shape: Shape, layout: ModelLayout, selection: SelectionInfo, setup: Setup) -> float:
    """Floating-point operations that training spends on one token."""

    def matrices(names: tuple[str, ...]) -> int:
        return sum(math.prod(layout.shapes[name]) for name in names if len(layout.shapes[name]) > 1)

    layers = [matrices(names) for names in layout.layers]
    head = math.prod(layout.shapes[layout.head])
    attention = 2 * 2 * setup.tokens * shape.queries
    lowest = 0 if selection.embeddings else min(selection.layers, default=layout.n_layers)
    forward = 2.0 * (sum(layers) + head) + attention * len(layers)
    through = 2.0 * (sum(layers[lowest:]) + head) + 2 * attention * len(layers[lowest:])
    trained = 2.0 * setup.adapter_weights
    if not setup.adapter_weights:
        trained = 2.0 * (sum(layers[index] for index in selection.layers) + head * selection.head)
    again = 2.0 * sum(layers[lowest:]) + attention * len(layers[lowest:]) if setup.gradient_checkpointing else 0.0
    return forward + through + trained + again


def matrix_rate(setup: Setup) -> float:
    """Floating-point operations per second of a large matrix product on this machine, measured now."""
    import torch

    device = "cuda" if setup.on_gpu else "cpu"
    dtype = torch.float32 if setup.activation_bytes == 4 else torch.bfloat16
    side = 4096 if setup.on_gpu else 768
    left, right = (torch.rand(side, side, dtype=dtype, device=device) for _ in range(2))

    def seconds(products: int) -> float:
        started = time.perf_counter()
        for _ in range(products):
            left @ right
        if setup.on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter() - started

    seconds(1)
    once = seconds(1)
    products = max(1, round(_MEASURED_SECONDS / max(once, 1e-6)))
    return 2.0 * side**3 * products / seconds(products)


def mean_length(base: Path, examples: Sequence[Example], max_tokens: int) -> float:
    """Tokens per example, the mean of some spread over all; a packed one has `max_tokens`."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    sample = [examples[number] for number in range(0, len(examples), -(-len(examples) // _SAMPLED_EXAMPLES))]
    lengths = [max_tokens if example.group == TEXT else len(example_ids(tokenizer, example)[0]) for example in sample]
    short = [length for length in lengths if length <= max_tokens]  # longer ones will be left out
    return sum(short) / len(short) if short else max_tokens
