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
from toolkit.selection.feed_forward import feed_forwards

NF4_BYTES = 0.5 + 4 / 64  # half a byte, and one float32 scale for 64 weights
BLOCK_STATE_BYTES = 2 * (1 + 4 / 256)  # 8-bit AdamW: two moments of a byte, with one float32 scale for 256 of them
ROUNDED_AT_ONCE, ROUNDING_BYTES = 1 << 22, 16  # weights in bfloat16 that are in float32 at one time; for each
FLOAT32_COPIES = 8  # bytes for each of these: itself and its gradient, before it is rounded
CPU_8BIT_BYTES = 20  # what 8-bit AdamW's own step holds on a CPU for each weight of the tensor; its GPU kernels nothing
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
    adapter_rank: int = 0  # of LoRA adapters; 0 where the selected weights themselves train
    averages: bool = False  # gradients, with processes that hold the whole model each (DDP)
    shards: int = 1  # processes that share one copy of weights, gradients and optimiser state (FSDP)

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


def trained_counts(layout: ModelLayout, selection: SelectionInfo, setup: Setup) -> dict[str, int]:
    """How many numbers train for each tensor that the selection names: its own, its neurons', or its adapter's."""
    counts = {}
    for name in selection.parameters:
        dimensions = layout.shapes[name]
        if setup.adapter_rank:
            counts[name] = setup.adapter_rank * sum(dimensions) if len(dimensions) > 1 else 0
        else:
            counts[name] = math.prod(dimensions)
    if selection.neurons:
        blocks = feed_forwards(layout)
        for layer, neurons in selection.neurons.items():
            counts |= dict.fromkeys(blocks[layer].names, len(neurons) * blocks[layer].neuron_weights // 3)
    return counts


def memory_parts(
    shape: Shape,
    layout: ModelLayout,
    selection: SelectionInfo,
    setup: Setup,
    *,
    whole: SelectionInfo | None = None,
) -> MemoryParts:
    """What training takes.

    The peak is the largest of three moments: the start of the backward pass (everything but the gradients of this
    pass), its way down (activations go, gradients come), and the step of the optimiser.

    Of several processes it is what each takes. DDP's buckets count as one more copy of the gradients: they become the
    gradients only once these were averaged, so that there are both while gradients accumulate and in the first step.

    Args:
        selection: what trains at the same time.
        whole: the selection with what trains in other phases; that is kept like what trains now. Default: all trains.
    """
    tokens = setup.examples * setup.tokens
    counts = trained_counts(layout, selection, setup)
    trained = sum(counts.values())
    weights = round(_weight_bytes(layout, whole or selection, counts, setup) / setup.shards)
    gradients = round(trained * setup.trained_bytes / setup.shards)
    optimizer = round(_optimizer_bytes(layout, counts, setup) / setup.shards)
    together = _gathered_bytes(layout, counts, setup) if setup.shards > 1 else gradients if setup.averages else 0
    logits = tokens * shape.vocabulary * (LOSS_BYTES if setup.activation_bytes == 4 else LOSS_BYTES + 2)
    per_layer = [tokens * size for size in _layer_activation_bytes(shape, layout, selection, setup)]
    last = tokens * shape.width * (8 if setup.activation_bytes == 4 else 6)  # around the last norm
    kept = [min(size, tokens * shape.width * setup.activation_bytes) for size in per_layer]
    held = kept if setup.gradient_checkpointing else per_layer
    again = max(per_layer, default=0) if setup.gradient_checkpointing else 0
    # Gradients that flow through one layer: three of the feed-forward width, three of the model's.
    flowing = tokens * (3 * shape.feed_forward + 3 * shape.width) * setup.activation_bytes
    largest = max(counts.values(), default=0)
    step = _step_bytes(largest, setup) // setup.shards

    standing = weights + optimizer + together
    before = gradients if setup.accumulates else 0
    start = standing + before + sum(held) + last + logits
    on_the_way = [
        before + _arrived(layout, counts, setup, index) // setup.shards + sum(held[: index + 1]) + again + flowing
        for index in range(len(held))
    ]
    down = standing + max(on_the_way, default=0)
    return MemoryParts(
        weights=weights,
        gradients=gradients,
        optimizer=optimizer,
        activations=round(sum(held) + again + last),
        logits=logits,
        workspace=max(step, flowing) + together,
        peak=round(max(start, down, standing + gradients + step)),
    )


def _weight_bytes(layout: ModelLayout, kept: SelectionInfo, counts: dict[str, int], setup: Setup) -> int:
    """The base's weights, and beside them the adapters, or the copies of neurons, that train.

    Args:
        kept: what is in the dtype of weights that train.
        counts: what trains now.
    """
    ever = trained_counts(layout, kept, setup)
    in_blocks = {name for layer in kept.neurons or () for name in layout.layers[layer]}
    inside = {name for names in layout.layers for name in names}
    total: float = 0
    for name, dimensions in layout.shapes.items():
        count, is_matrix = math.prod(dimensions), len(dimensions) > 1
        if name in ever and not setup.adapter_rank and name not in in_blocks:
            total += count * setup.trained_bytes
        else:
            in_4bit = setup.frozen_in_4bit and name in inside and is_matrix and name not in ever
            total += count * (NF4_BYTES if in_4bit else setup.frozen_bytes) + ever.get(name, 0) * setup.trained_bytes
        casts = setup.trained_bytes > setup.activation_bytes and setup.shards == 1  # FSDP casts what it gathers
        if casts and is_matrix and name != layout.embeddings:
            total += counts.get(name, 0) * setup.activation_bytes  # what autocast keeps until the backward pass
    return round(total)


def _optimizer_bytes(layout: ModelLayout, counts: dict[str, int], setup: Setup) -> int:
    """Two moments per number that trains; the 8-bit optimiser keeps small tensors and embeddings in 32 bits."""
    if setup.optimizer == "adamw":
        return 2 * sum(counts.values()) * setup.trained_bytes
    whole_embeddings = "" if setup.adapter_rank else layout.embeddings
    return round(
        sum(
            8 * count if count < SMALLEST_8BIT or name == whole_embeddings else BLOCK_STATE_BYTES * count
            for name, count in counts.items()
        )
    )


def _gathered_bytes(layout: ModelLayout, counts: dict[str, int], setup: Setup) -> int:
    """What FSDP holds whole: two layers, as the next one comes while one computes, and both ends; their gradients."""
    layers = max((layout.count(names) for names in layout.layers), default=0)
    trained = max((sum(counts.get(name, 0) for name in names) for names in layout.layers), default=0)
    ends = (layout.embeddings,) if layout.tied else (layout.embeddings, layout.head)
    whole = 2 * (layers + trained) + layout.count(ends) + sum(counts.get(name, 0) for name in ends)
    return whole * setup.activation_bytes


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
        if selection.neurons is not None:
            norms += shape.width * size * (index in selection.neurons)  # what the rows of gate and up are applied to
        elif index in selection.layers:
            # What each matrix is multiplied by is kept for its gradient; so is what the norms' weights are.
            norms += 2 * shape.width * (2 * size if setup.trained_bytes == size else setup.trained_bytes + 2.5 * size)
            gates += shape.feed_forward * size
        found.append(norms + attention + gates)
    return found


def _arrived(layout: ModelLayout, counts: dict[str, int], setup: Setup, index: int) -> int:
    """Bytes of the gradients that are there when the backward pass comes to this layer."""
    if setup.accumulates:
        return 0
    names = [] if layout.tied else [layout.head]
    names += [name for above in range(index, layout.n_layers) for name in layout.layers[above]]
    if index == 0:
        names.append(layout.embeddings)
    return sum(counts.get(name, 0) for name in names) * setup.trained_bytes


def _step_bytes(largest: int, setup: Setup) -> int:
    """What the optimiser's step takes beside its state."""
    if setup.optimizer == "adamw_8bit":
        computing = 0 if setup.on_gpu else CPU_8BIT_BYTES
        if setup.trained_bytes == 4:
            return largest * computing
        return min(largest, ROUNDED_AT_ONCE) * max(ROUNDING_BYTES, FLOAT32_COPIES + computing)
    return 0 if setup.on_gpu else 2 * largest * setup.trained_bytes  # on a GPU, AdamW is fused
