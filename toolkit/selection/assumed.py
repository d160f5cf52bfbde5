"""Where a ranked selection may turn out to lie, told before anything is ranked, so that a run can be planned.

How much trains is known from the budget; which layers is not. So the extremes stand for all: the layers as far in front
as they can be, as far at the rear, at both ends, and spread evenly.
"""

from __future__ import annotations

from typing import Literal, get_args

from toolkit.selection.choice import Choice, by_layer
from toolkit.selection.feed_forward import feed_forwards
from toolkit.selection.layout import ModelLayout
from toolkit.selection.positions import front_layers, outer_layers, rear_layers

Assumed = Literal["front", "rear", "ends", "spread"]
ASSUMED: tuple[Assumed, ...] = get_args(Assumed)


def assumed_layers(n_layers: int, budget: int, place: Assumed) -> tuple[int, ...]:
    """As many layers as a ranking would choose, in this place."""
    if place == "front":
        return front_layers(n_layers, budget)
    if place == "rear":
        return rear_layers(n_layers, budget)
    if place == "ends" and budget > 1:
        even = budget - budget % 2
        outer = outer_layers(n_layers, even)
        return outer if even == budget else tuple(sorted({*outer, even // 2}))
    step = (n_layers - 1) / max(1, budget - 1)
    return tuple(round(index * step) for index in range(budget))


def assumed_subnetwork(layout: ModelLayout, share: float, place: Assumed) -> Choice:
    """As many neurons as the budget buys, though a language may turn out to have fewer of its own."""
    blocks = feed_forwards(layout)
    places = [(layer, neuron) for layer, block in enumerate(blocks) for neuron in range(block.n_neurons)]
    wanted = max(1, min(len(places), int(share * layout.n_weights / max(block.neuron_weights for block in blocks))))
    if place == "front":
        chosen = places[:wanted]
    elif place == "rear":
        chosen = places[-wanted:]
    elif place == "ends":
        half = wanted // 2
        chosen = places[: wanted - half] + (places[-half:] if half else [])
    else:
        chosen = [places[index * len(places) // wanted] for index in range(wanted)]
    neurons = by_layer(chosen)
    return Choice(tuple(neurons), neurons=neurons)
