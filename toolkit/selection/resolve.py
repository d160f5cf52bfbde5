"""From `cogsym:25%` to the exact names of the parameters that train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from toolkit.errors import SelectionError
from toolkit.records import SelectionInfo
from toolkit.selection.budget import layers_for, parse_layers
from toolkit.selection.layout import ModelLayout
from toolkit.selection.positions import all_layers, front_layers, middle_layers, outer_layers, rear_layers


@dataclass(frozen=True)
class Method:
    """A rule that picks layers, and whether embeddings and LM head train with them unless the recipe says otherwise."""

    pick: Callable[[int, int], tuple[int, ...]]  # (layers in the model, budget) -> indices
    embeddings: bool
    head: bool
    summary: str
    even: bool = False


METHODS = {
    "cogsym": Method(outer_layers, True, True, "first and last layers, half of the budget each", even=True),
    "front": Method(front_layers, True, False, "first layers"),
    "rear": Method(rear_layers, False, True, "last layers"),
    "middle": Method(middle_layers, False, False, "layers around the centre"),
    "full": Method(all_layers, True, True, "every weight; takes no budget"),
}
DEFAULT_BUDGET = "25%"


def resolve_selection(
    text: str,
    layout: ModelLayout,
    *,
    embeddings: bool | None = None,
    head: bool | None = None,
    final_norm: bool = False,
) -> SelectionInfo:
    """Which parameters `METHOD[:BUDGET]` means in this model.

    Embeddings and LM head follow the paper's rule for the method (cogsym both, front the embeddings, rear the head)
    unless given; they are not counted in the budget. Where the two are tied, they train together.

    Args:
        text: `cogsym:25%`, `front:8`, `full`, or explicit layers, `layers:0-3,28-31`.

    Raises:
        SelectionError: if the method is unknown or its budget does not fit the model.
    """
    name, _, budget = text.strip().partition(":")
    if name == "layers":
        layers = parse_layers(budget, layout.n_layers)
        with_embeddings, with_head = bool(embeddings), bool(head)
    elif name in METHODS:
        method = METHODS[name]
        if name == "full":
            if budget:
                raise SelectionError(f"'{text}': full takes no budget", "write --select full")
            layers, final_norm = all_layers(layout.n_layers, layout.n_layers), True
        else:
            budget = budget or DEFAULT_BUDGET
            layers = method.pick(layout.n_layers, layers_for(budget, layout.n_layers, even=method.even))
        with_embeddings = method.embeddings if embeddings is None else embeddings
        with_head = method.head if head is None else head
    else:
        raise SelectionError(f"unknown selection '{name}'", f"use one of: {', '.join(METHODS)}, layers:0-3,28-31")

    if layout.tied:
        with_embeddings = with_head = with_embeddings or with_head
    parameters = [*([layout.embeddings] if with_embeddings else [])]
    for index in layers:
        parameters += layout.layers[index]
    parameters += layout.final_norm if final_norm else ()
    if with_head and not layout.tied:
        parameters.append(layout.head)
    return SelectionInfo(
        method=name,
        budget=budget or None,
        layers=layers,
        n_layers=layout.n_layers,
        embeddings=with_embeddings,
        head=with_head,
        final_norm=final_norm,
        parameters=tuple(parameters),
        trained_weights=layout.count(tuple(parameters)),
        total_weights=layout.n_weights,
    )


def describe_layers(layers: tuple[int, ...]) -> str:
    """Indices as ranges: `0-3, 28-31`."""
    ranges: list[list[int]] = []
    for layer in layers:
        if ranges and layer == ranges[-1][1] + 1:
            ranges[-1][1] = layer
        else:
            ranges.append([layer, layer])
    return ", ".join(f"{first}-{last}" if first < last else str(first) for first, last in ranges) or "none"
