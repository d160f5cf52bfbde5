"""What a method chose: layers, whole or in part."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

from toolkit.errors import SelectionError
from toolkit.selection.feed_forward import feed_forwards
from toolkit.selection.layout import ModelLayout

Neurons = dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class Choice:
    """Layers that train, and whether embeddings and LM head do unless the recipe says otherwise."""

    layers: tuple[int, ...]
    embeddings: bool = False
    head: bool = False
    final_norm: bool = False
    feed_forward: bool = False  # only the feed-forward matrices of these layers
    neurons: Neurons | None = None  # only these rows and columns of them
    scores: tuple[float, ...] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def feed_forward_of(choice: Choice, name: str) -> Choice:
    """The feed-forward matrices of the chosen layers, without embeddings and LM head.

    Raises:
        SelectionError: if single neurons were chosen, which have no other part.
    """
    if choice.neurons is not None:
        raise SelectionError(f"'ffn:{name}': neurons are a part of the feed-forward matrices", f"use {name} itself")
    return replace(choice, embeddings=False, head=False, final_norm=False, feed_forward=True)


def drawn_like(choice: Choice, layout: ModelLayout, like: str, seed: int) -> Choice:
    """As many layers, or single neurons, as were chosen, drawn at random from the whole model.

    Neurons are drawn over all layers at once, which is the random subset that language-specific subnetworks are
    compared with (arXiv 2510.13580).

    Args:
        like: what to imitate, as it was asked for.
    """
    draw = random.Random(seed)
    facts = {"like": like, "seed": seed}
    if choice.neurons is None:
        layers = tuple(sorted(draw.sample(range(layout.n_layers), len(choice.layers))))
        return replace(choice, layers=layers, scores=None, facts=facts)
    every = [(layer, neuron) for layer, block in enumerate(feed_forwards(layout)) for neuron in range(block.n_neurons)]
    neurons = by_layer(draw.sample(every, sum(map(len, choice.neurons.values()))))
    return replace(choice, layers=tuple(neurons), neurons=neurons, scores=None, facts=facts)


def by_layer(neurons: list[tuple[int, int]]) -> Neurons:
    """Neurons given as (layer, index), grouped by layer, both in rising order."""
    grouped: dict[int, list[int]] = {}
    for layer, neuron in sorted(neurons):
        grouped.setdefault(layer, []).append(neuron)
    return {layer: tuple(indices) for layer, indices in grouped.items()}
