"""Recipes and selections for measurements of training, without data and without reading a base."""

from __future__ import annotations

import random
from typing import Any

from toolkit.recipe import Recipe, make_recipe
from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout


def recipe_of(fields: dict[str, Any]) -> Recipe:
    data = [{"path": "none.tsv", "directions": ["eng>jav"]}]
    return make_recipe({"language": "jav", "base": "pocket", "data": data} | fields)


def random_neurons(layout: ModelLayout, share: float, seed: int = 0) -> SelectionInfo:
    """The same share of random neurons in every layer."""
    draw = random.Random(seed)
    parameters = [name for names in layout.layers for name in names if ".mlp." in name]
    n_neurons = next(layout.shapes[name][0] for name in parameters if "gate_proj" in name)
    count = max(1, round(share * n_neurons))
    neurons = {layer: tuple(sorted(draw.sample(range(n_neurons), count))) for layer in range(layout.n_layers)}
    width = layout.shapes[layout.embeddings][1]
    return SelectionInfo(
        method="subnetwork",
        layers=tuple(neurons),
        n_layers=layout.n_layers,
        embeddings=False,
        head=False,
        final_norm=False,
        parameters=tuple(parameters),
        neurons=neurons,
        trained_weights=3 * width * count * layout.n_layers,
        total_weights=layout.n_weights,
    )
