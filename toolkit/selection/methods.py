"""The methods of `--select METHOD[:BUDGET]`: what each is called, takes and chooses.

Where the papers leave it open, embeddings and LM head follow one rule of ours: they train with a method that stands
for the whole model (`cogsym` and its shifts, the ranked ones), and not with one that is a part (`final`, `ffn`,
`subnetwork`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from toolkit.errors import SelectionError
from toolkit.selection.assumed import Assumed, assumed_layers, assumed_subnetwork
from toolkit.selection.budget import layers_for, parse_layers, share_of_weights
from toolkit.selection.choice import Choice, drawn_like, feed_forward_of
from toolkit.selection.evidence import Evidence, LooksAt, Ranking, require
from toolkit.selection.feed_forward import feed_forwards
from toolkit.selection.layout import ModelLayout
from toolkit.selection.positions import (
    final_layers,
    front_layers,
    middle_layers,
    outer_layers,
    rear_layers,
    shifted_layers,
)

METHODS = {
    "cogsym:25%": "first and last layers, half of the budget each; embeddings and LM head",
    "front:25%": "first layers; embeddings",
    "rear:25%": "last layers; LM head",
    "middle:25%": "layers around the centre",
    "shifted:8@4": "as cogsym:8, each half moved inward by 4 layers",
    "layers:0-3,28-31": "these layers",
    "final:5%": "as many of the last layers as hold 5% of the weights, at least one; or final:2",
    "fisher:25%": "layers with the most Fisher information on training examples; embeddings and LM head",
    "alpha:25%": "layers with the least heavy-tailed weights; embeddings and LM head (alpha-peak: another tail)",
    "neurons-count:25%": "layers with the most language-specific neurons; embeddings and LM head",
    "subnetwork:1%": "the feed-forward neurons of the language to learn, up to 1% of the weights",
    "ffn": "feed-forward matrices of every layer; ffn:25%, ffn:front:8 of some",
    "random:cogsym:25%": "as many layers (or neurons: random:subnetwork) as that selection, drawn by the seed",
    "full": "every weight",
}
"""An example of each method, and what it trains."""


@dataclass(frozen=True)
class Position:
    """A rule that picks layers by their place."""

    pick: Callable[[int, int], tuple[int, ...]]  # (layers in the model, budget) -> indices
    embeddings: bool
    head: bool
    even: bool = False


POSITIONS = {
    "cogsym": Position(outer_layers, True, True, even=True),
    "front": Position(front_layers, True, False),
    "rear": Position(rear_layers, False, True),
    "middle": Position(middle_layers, False, False),
}
RANKED: dict[str, LooksAt] = {
    "fisher": "examples",
    "alpha": "weights",
    "alpha-peak": "weights",
    "neurons-count": "texts",
}
DEFAULT_BUDGETS = dict.fromkeys((*POSITIONS, *RANKED), "25%") | {
    "final": "5%",  # LinguaMap trains 3-5% of the weights
    "subnetwork": "1%",
    "ffn": "full",
    "random": "cogsym:25%",
    "shifted": "",
    "layers": "",
    "full": "",
}


def looks_at(text: str, layout: ModelLayout) -> LooksAt | None:
    """What a selection needs besides the layout; None for one that goes by position alone.

    Raises:
        SelectionError: if the method is unknown or its budget does not fit the model.
    """
    name, budget = parse(text)
    if name in ("ffn", "random"):
        return looks_at(_inner(budget), layout)
    if name in RANKED:
        layers_for(budget, layout.n_layers)
        if RANKED[name] == "texts":
            feed_forwards(layout)
        return RANKED[name]
    if name == "subnetwork":
        share_of_weights(budget)
        feed_forwards(layout)
        return "texts"
    choose(text, layout, seed=0, evidence=None)
    return None


def choose(
    text: str, layout: ModelLayout, *, seed: int, evidence: Evidence | None, assumed: Assumed | None = None
) -> Choice:
    """What `METHOD[:BUDGET]` chooses in this model; see `METHODS`.

    Args:
        assumed: where the layers or neurons of a ranked method lie, instead of ranking.

    Raises:
        SelectionError: if the method is unknown, its budget does not fit the model, or it lacks evidence.
        BaseModelError: if the model lacks a part that the method needs.
    """
    name, budget = parse(text)
    if name in POSITIONS:
        position = POSITIONS[name]
        layers = layers_for(budget, layout.n_layers, even=position.even)
        return Choice(position.pick(layout.n_layers, layers), position.embeddings, position.head)
    if name in RANKED:
        wanted = layers_for(budget, layout.n_layers)
        if assumed is not None:
            return Choice(assumed_layers(layout.n_layers, wanted, assumed), True, True)
        ranking = _rank(name, layout, require(evidence, name, RANKED[name]), seed)
        return Choice(ranking.top(wanted), True, True, scores=ranking.scores, facts=ranking.facts)
    if name == "layers":
        return Choice(parse_layers(budget, layout.n_layers))
    if name == "shifted":
        return _shifted(text, budget, layout)
    if name == "final":
        return _final(budget, layout)
    if name == "subnetwork":
        share = share_of_weights(budget)
        if assumed is not None:
            return assumed_subnetwork(layout, share, assumed)
        from toolkit.selection.neurons import choose_subnetwork

        return choose_subnetwork(layout, share, require(evidence, name, "texts"), seed)
    if name == "full":
        if budget:
            raise SelectionError(f"'{text}': full takes no budget", "write --select full")
        return Choice(tuple(range(layout.n_layers)), True, True, final_norm=True)
    inner = _inner(budget)
    choice = choose(inner, layout, seed=seed, evidence=evidence, assumed=assumed)
    return feed_forward_of(choice, inner) if name == "ffn" else drawn_like(choice, layout, inner, seed)


def parse(text: str) -> tuple[str, str]:
    """Name and budget of a selection, the method's default where none is given.

    Raises:
        SelectionError: if the method is unknown.
    """
    name, _, budget = text.strip().partition(":")
    if name not in DEFAULT_BUDGETS:
        near = get_close_matches(name, DEFAULT_BUDGETS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use one of: {', '.join(METHODS)}"
        raise SelectionError(f"unknown selection '{name}'", hint)
    return name, budget.strip() or DEFAULT_BUDGETS[name]


def _inner(budget: str) -> str:
    """The selection inside `ffn:...` or `random:...`; a bare budget is one of cogsym's."""
    return budget if budget[0].isalpha() else f"cogsym:{budget}"


def _shifted(text: str, budget: str, layout: ModelLayout) -> Choice:
    """The position ablation of CogSym; its embeddings and LM head train, so that the layers alone make a difference."""
    layers, _, offset = budget.partition("@")
    if not (offset.isascii() and offset.isdigit()):
        raise SelectionError(f"'{text}' does not say how far to shift", "write it like shifted:8@4, 4 layers inward")
    return Choice(
        shifted_layers(layout.n_layers, layers_for(layers, layout.n_layers, even=True), int(offset)), True, True
    )


def _final(budget: str, layout: ModelLayout) -> Choice:
    """LinguaMap's last layers; a share is one of all the weights, which is how the paper counts."""
    if budget.strip().endswith("%"):
        weights = share_of_weights(budget) * layout.n_weights
        return Choice(final_layers([layout.count(layer) for layer in layout.layers], weights))
    return Choice(rear_layers(layout.n_layers, layers_for(budget, layout.n_layers)))


def _rank(name: str, layout: ModelLayout, evidence: Evidence, seed: int) -> Ranking:
    if name == "fisher":
        from toolkit.selection.fisher import rank_by_fisher

        return rank_by_fisher(layout, evidence, seed)
    if name == "neurons-count":
        from toolkit.selection.neurons import rank_by_neurons

        return rank_by_neurons(layout, evidence, seed)
    from toolkit.selection.alpha import rank_by_alpha

    return rank_by_alpha(layout, evidence, tail="peak" if name == "alpha-peak" else "median")
