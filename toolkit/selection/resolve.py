"""From `cogsym:25%` to the exact names of the parameters that train."""

from __future__ import annotations

import re
from collections.abc import Iterable

from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.selection.assumed import ASSUMED, Assumed
from toolkit.selection.choice import Choice
from toolkit.selection.evidence import Evidence
from toolkit.selection.feed_forward import feed_forwards
from toolkit.selection.layout import ModelLayout
from toolkit.selection.methods import choose, looks_at, parse


def possible_selections(recipe: Recipe, layout: ModelLayout) -> tuple[SelectionInfo, ...]:
    """What the recipe's selection may turn out to be; one by position is just that.

    Raises:
        SelectionError: if the method is unknown or its budget does not fit the model.
        BaseModelError: if the model lacks a part that the method needs.
    """
    if looks_at(recipe.select, layout) is None:
        return (resolve_recipe(recipe, layout),)
    found: list[SelectionInfo] = []
    for place in ASSUMED:
        selection = resolve_recipe(recipe, layout, assumed=place)
        found += [] if selection in found else [selection]
    return tuple(found)


def resolve_recipe(
    recipe: Recipe, layout: ModelLayout, evidence: Evidence | None = None, *, assumed: Assumed | None = None
) -> SelectionInfo:
    """Which parameters a recipe trains in this model; see `resolve_selection`."""
    return resolve_selection(
        recipe.select,
        layout,
        embeddings=recipe.embeddings,
        head=recipe.head,
        final_norm=recipe.final_norm,
        seed=recipe.seed,
        evidence=evidence,
        assumed=assumed,
    )


def resolve_selection(
    text: str,
    layout: ModelLayout,
    *,
    embeddings: bool | None = None,
    head: bool | None = None,
    final_norm: bool = False,
    seed: int = 0,
    evidence: Evidence | None = None,
    assumed: Assumed | None = None,
) -> SelectionInfo:
    """Which parameters `METHOD[:BUDGET]` means in this model.

    Embeddings and LM head follow the method's rule (cogsym both, front the embeddings, rear the head) unless given;
    they are not counted in the budget. Where the two are tied, they train together.

    Args:
        text: `cogsym:25%`, `front:8`, `full`, `layers:0-3,28-31`, `fisher:25%`; `METHODS` lists all.
        seed: of what is drawn: rows to look at, random layers and neurons.
        evidence: what a ranked method looks at; positions need the layout alone. `looks_at` tells.
        assumed: instead of ranking, take the layers or neurons to lie there.

    Raises:
        SelectionError: if the method is unknown, its budget does not fit the model, or it lacks evidence.
        BaseModelError: if the model lacks a part that the method needs.
    """
    choice = choose(text, layout, seed=seed, evidence=evidence, assumed=assumed)
    name, budget = parse(text)
    with_embeddings = choice.embeddings if embeddings is None else embeddings
    with_head = choice.head if head is None else head
    final_norm = final_norm or choice.final_norm
    if layout.tied:
        with_embeddings = with_head = with_embeddings or with_head

    in_layers = _in_layers(choice, layout)
    outside: tuple[str, ...] = (layout.embeddings,) if with_embeddings else ()
    if name == "full":  # position embeddings and what else a decoder has outside of its layers
        known = {layout.embeddings, layout.head, *layout.final_norm, *in_layers}
        outside += tuple(other for other in layout.shapes if other not in known)
    after = layout.final_norm if final_norm else ()
    after += (layout.head,) if with_head and not layout.tied else ()
    weights = layout.count(in_layers)
    if choice.neurons is not None:
        blocks = feed_forwards(layout)
        weights = sum(blocks[layer].neuron_weights * len(neurons) for layer, neurons in choice.neurons.items())
    return SelectionInfo(
        method=name,
        budget=budget or None,
        layers=choice.layers,
        n_layers=layout.n_layers,
        embeddings=with_embeddings,
        head=with_head,
        final_norm=final_norm,
        parameters=(*outside, *in_layers, *after),
        neurons=choice.neurons,
        scores=choice.scores,
        evidence=choice.facts,
        trained_weights=weights + layout.count((*outside, *after)),
        total_weights=layout.n_weights,
    )


def _in_layers(choice: Choice, layout: ModelLayout) -> tuple[str, ...]:
    """Parameters of the chosen layers, all of them or the feed-forward matrices."""
    if choice.feed_forward or choice.neurons is not None:
        blocks = feed_forwards(layout)
        return tuple(name for layer in choice.layers for name in blocks[layer].names)
    return tuple(name for layer in choice.layers for name in layout.layers[layer])


def describe_layers(layers: tuple[int, ...]) -> str:
    """Indices as ranges: `0-3, 28-31`."""
    ranges: list[list[int]] = []
    for layer in layers:
        if ranges and layer == ranges[-1][1] + 1:
            ranges[-1][1] = layer
        else:
            ranges.append([layer, layer])
    return ", ".join(f"{first}-{last}" if first < last else str(first) for first, last in ranges) or "none"


def describe_parameters(names: Iterable[str]) -> list[str]:
    """Names in their order, those that differ by their layer as one: `model.layers.{0-3,28-31}.mlp.up_proj.weight`."""
    layers: dict[tuple[str, str], list[int]] = {}
    for name in names:
        numbered = re.fullmatch(r"(.*?\.)(\d+)(\..*)", name)
        before, after = (numbered[1], numbered[3]) if numbered else (name, "")
        layers.setdefault((before, after), []).extend([int(numbered[2])] if numbered else [])
    found = []
    for (before, after), numbers in layers.items():
        which = describe_layers(tuple(sorted(numbers))).replace(" ", "")
        inside = "" if not numbers else which if len(numbers) == 1 else f"{{{which}}}"
        found.append(f"{before}{inside}{after}")
    return found
