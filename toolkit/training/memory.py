"""How many bytes training takes, part by part, from the base's configuration and the recipe alone.

The arithmetic follows what PyTorch's autograd keeps for a Llama-like decoder (RMSNorm, rotary attention through
`scaled_dot_product_attention`, gated feed-forward), and what the optimisers keep. `tests/benchmarks/plan/` holds it
against measured peaks.

B examples per forward pass, T tokens in each, D width, F feed-forward width, V vocabulary; Q the width
of all query heads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout

NF4_BYTES = 0.5 + 4 / 64  # half a byte, and one float32 scale for 64 weights
BLOCK_STATE_BYTES = 2 * (1 + 4 / 256)  # 8-bit AdamW: two moments of a byte, with one float32 scale for 256 of them
SMALLEST_8BIT = 4096  # weights; smaller tensors keep 32-bit moments
# Float32 logarithms of the softmax, their gradient and that of the logits, all alive when the backward pass starts.
LOSS_BYTES = 12


@dataclass(frozen=True)
class Shape:
    """The widths that activations depend on."""

    width: int
    feed_forward: int
    queries: int
    vocabulary: int


@dataclass(frozen=True)
class Setup:
    """What the recipe and the device decide."""

    examples: int  # B
    tokens: int  # T
    frozen_bytes: int  # per weight: 4 or 2
    trained_bytes: int
    optimizer: Literal["adamw", "adamw_8bit"] = "adamw"
    gradient_checkpointing: bool = False
    accumulates: bool = False  # several forward passes per step
    on_gpu: bool = False
    frozen_in_4bit: bool = False
    adapter_weights: int = 0  # where LoRA adapters train instead of the selected weights

    @property
    def activation_bytes(self) -> int:
        """Per element: 16 bits where anything is in bfloat16, because then autocast is on."""
        return min(self.frozen_bytes, self.trained_bytes)


@dataclass(frozen=True)
class MemoryParts:
    """Bytes of each part, and the most that are in use at one time, which is less than their sum."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    workspace: int
    peak: int


def shape_of(base: Path) -> Shape:
    """The widths that `config.json` in this folder states."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(base, local_files_only=True).get_text_config()
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Shape(
        width=config.hidden_size,
        feed_forward=getattr(config, "intermediate_size", None) or 4 * config.hidden_size,
        queries=head * config.num_attention_heads,
        vocabulary=config.vocab_size,
    )


def memory_parts(shape: Shape, layout: ModelLayout, selection: SelectionInfo, setup: Setup) -> MemoryParts:
    """What training takes.

    The peak is the largest of three moments: the start of the backward pass (everything but the gradients of this
    pass), its way down (activations go, gradients come), and the step of the optimiser.
    """
    tokens = setup.examples * setup.tokens
    trained_names = () if setup.adapter_weights else selection.parameters
    trained = setup.adapter_weights or selection.trained_weights
    weights = _weight_bytes(layout, trained_names, setup) + setup.adapter_weights * setup.trained_bytes
    gradients = trained * setup.trained_bytes
    optimizer = _optimizer_bytes(layout, trained_names, setup)
    logits = tokens * shape.vocabulary * (LOSS_BYTES if setup.activation_bytes == 4 else LOSS_BYTES + 2)
    per_layer = [tokens * size for size in _layer_activation_bytes(shape, layout, selection, setup)]
    last = tokens * shape.width * (8 if setup.activation_bytes == 4 else 6)  # around the last norm
    kept = [min(size, tokens * shape.width * setup.activation_bytes) for size in per_layer]
    held = kept if setup.gradient_checkpointing else per_layer
    again = max(per_layer, default=0) if setup.gradient_checkpointing else 0
    # Gradients that flow through one layer: three of the feed-forward width, three of the model's.
    flowing = tokens * (3 * shape.feed_forward + 3 * shape.width) * setup.activation_bytes
    largest = max((math.prod(layout.shapes[name]) for name in trained_names), default=0)
    step = _step_bytes(trained, largest, setup)

    standing = weights + optimizer
    before = gradients if setup.accumulates else 0
    start = standing + before + sum(held) + last + logits
    on_the_way = [
        before + _arrived(layout, selection, setup, index) + sum(held[: index + 1]) + again + flowing
        for index in range(len(held))
    ]
    down = standing + max(on_the_way, default=0)
    return MemoryParts(
        weights=weights,
        gradients=gradients,
        optimizer=optimizer,
        activations=round(sum(held) + again + last),
        logits=logits,
        workspace=max(step, flowing),
        peak=round(max(start, down, standing + gradients + step)),
    )


def _weight_bytes(layout: ModelLayout, trained: tuple[str, ...], setup: Setup) -> int:
    total: float = 0
    inside = {name for names in layout.layers for name in names}
    for name, dimensions in layout.shapes.items():
        count = math.prod(dimensions)
        if name in set(trained):
            total += count * setup.trained_bytes
            if setup.trained_bytes > setup.activation_bytes and len(dimensions) > 1 and name != layout.embeddings:
                total += count * setup.activation_bytes  # the copy that autocast keeps until the backward pass
        elif setup.frozen_in_4bit and name in inside and len(dimensions) > 1:
            total += count * NF4_BYTES
        else:
            total += count * setup.frozen_bytes
    return round(total)


def _optimizer_bytes(layout: ModelLayout, trained: tuple[str, ...], setup: Setup) -> int:
    """Two moments per trained weight; the 8-bit optimiser keeps small tensors and embeddings in 32 bits."""
    counts = {name: math.prod(layout.shapes[name]) for name in trained}
    if setup.optimizer == "adamw":
        return 2 * (sum(counts.values()) or setup.adapter_weights) * setup.trained_bytes
    if not counts:
        return round(setup.adapter_weights * BLOCK_STATE_BYTES)
    return round(
        sum(
            8 * count if count < SMALLEST_8BIT or name == layout.embeddings else BLOCK_STATE_BYTES * count
            for name, count in counts.items()
        )
    )


def _layer_activation_bytes(shape: Shape, layout: ModelLayout, selection: SelectionInfo, setup: Setup) -> list[float]:
    """Per token and layer, what autograd keeps; nothing below the lowest layer that trains."""
    lowest = 0 if selection.embeddings else min(selection.layers, default=layout.n_layers)
    size = setup.activation_bytes
    attention = 4 * shape.queries * size  # queries, keys, values, result; grouped keys are repeated for every query
    found: list[float] = []
    for index in range(layout.n_layers):
        if index < lowest:
            found.append(0)
            continue
        norms: float = 2 * 4 * shape.width  # inputs of the two norms, in float32
        gates: float = 3 * shape.feed_forward * size  # gate, its activation, up
        if index in selection.layers:
            # What each matrix is multiplied by is kept for its gradient; so is what the norms' weights are.
            norms += 2 * shape.width * (2 * size if setup.trained_bytes == size else setup.trained_bytes + 2.5 * size)
            gates += shape.feed_forward * size
        found.append(norms + attention + gates)
    return found


def _arrived(layout: ModelLayout, selection: SelectionInfo, setup: Setup, index: int) -> int:
    """Bytes of the gradients that are there when the backward pass comes to this layer."""
    if setup.adapter_weights:
        return round(setup.adapter_weights * setup.trained_bytes * (1 - index / layout.n_layers))
    names = [layout.head] if selection.head and not layout.tied else []
    for above in range(index, layout.n_layers):
        names += [name for name in layout.layers[above] if above in selection.layers]
    if index == 0 and selection.embeddings:
        names.append(layout.embeddings)
    arrived = layout.count(tuple(names)) * setup.trained_bytes
    return 0 if setup.accumulates else arrived


def _step_bytes(trained: int, largest: int, setup: Setup) -> int:
    """What the optimiser's step takes beside its state: on a GPU AdamW works on all tensors at once."""
    if setup.optimizer == "adamw_8bit":
        return 0
    return trained * setup.trained_bytes if setup.on_gpu else 2 * largest * setup.trained_bytes
