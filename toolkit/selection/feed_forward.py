"""Where a layer keeps its feed-forward neurons: row i of gate and up, column i of down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.errors import BaseModelError
from toolkit.selection.layout import ModelLayout

PARTS = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class FeedForward:
    """Names of a gated feed-forward block's three matrices; N neurons over a model of width D."""

    gate: str  # (N, D)
    up: str  # (N, D)
    down: str  # (D, N)
    n_neurons: int
    neuron_weights: int  # 3 D: what one neuron owns in the three matrices

    @property
    def names(self) -> tuple[str, str, str]:
        return self.gate, self.up, self.down


def feed_forwards(layout: ModelLayout) -> tuple[FeedForward, ...]:
    """The feed-forward block of every decoder layer.

    Raises:
        BaseModelError: naming the matrix that a layer lacks, or has several of (experts).
    """
    return tuple(_feed_forward(layout, index) for index in range(layout.n_layers))


def _feed_forward(layout: ModelLayout, index: int) -> FeedForward:
    gate, up, down = (_matrix(layout.layers[index], part, index) for part in PARTS)
    neurons, width = layout.shapes[gate]
    if layout.shapes[up] != (neurons, width) or layout.shapes[down] != (width, neurons):
        raise BaseModelError(
            f"the feed-forward matrices of layer {index} do not fit each other: gate {layout.shapes[gate]}, "
            f"up {layout.shapes[up]}, down {layout.shapes[down]}",
            "choose whole layers instead, e.g. cogsym:25%",
        )
    return FeedForward(gate, up, down, neurons, 3 * width)


def _matrix(names: Sequence[str], part: str, index: int) -> str:
    found = [name for name in names if name.endswith(f".{part}.weight")]
    if len(found) == 1:
        return found[0]
    what = f"has {len(found)} matrices '{part}'" if found else f"has no matrix '{part}'"
    raise BaseModelError(
        f"layer {index} of this model {what}; feed-forward neurons need exactly one each of {', '.join(PARTS)}",
        "choose whole layers instead, e.g. cogsym:25%; Llama, Mistral, Qwen and Gemma have such neurons",
    )
