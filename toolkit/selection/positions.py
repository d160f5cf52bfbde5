"""Selections by position alone: outermost, shifted, front, rear, middle and final layers.

All but the last are those of CogSym (arXiv 2604.00923); `final_layers` is LinguaMap's (arXiv 2601.20009).
"""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.errors import SelectionError


def outer_layers(n_layers: int, budget: int) -> tuple[int, ...]:
    """The first and last `budget / 2` layers: where a language is understood, and where it is produced."""
    return shifted_layers(n_layers, budget, 0)


def shifted_layers(n_layers: int, budget: int, offset: int) -> tuple[int, ...]:
    """Two blocks of `budget / 2` layers, each moved inward by `offset` from its end of the model.

    Raises:
        SelectionError: if the blocks would overlap.
    """
    half = budget // 2
    furthest = (n_layers - budget) // 2
    if offset > furthest:
        raise SelectionError(
            f"two blocks of {half} layers, each {offset} from its end, overlap in a model of {n_layers}",
            f"use an offset of 0 to {furthest}",
        )
    return (*range(offset, offset + half), *range(n_layers - offset - half, n_layers - offset))


def front_layers(n_layers: int, budget: int) -> tuple[int, ...]:
    """The first `budget` layers: comprehension."""
    return tuple(range(budget))


def rear_layers(n_layers: int, budget: int) -> tuple[int, ...]:
    """The last `budget` layers: production."""
    return tuple(range(n_layers - budget, n_layers))


def middle_layers(n_layers: int, budget: int) -> tuple[int, ...]:
    """The `budget` layers around the centre; one nearer to the front where they cannot be centred."""
    first = (n_layers - budget) // 2
    return tuple(range(first, first + budget))


def final_layers(layer_weights: Sequence[int], weights: float) -> tuple[int, ...]:
    """As many of the last layers as hold at most `weights` weights together, at least one.

    Args:
        layer_weights: weights in each decoder layer.
    """
    first = len(layer_weights) - 1
    while first and sum(layer_weights[first - 1 :]) <= weights:
        first -= 1
    return tuple(range(first, len(layer_weights)))
