"""Selections by position alone (CogSym, arXiv 2604.00923): outermost, front, rear and middle layers."""

from __future__ import annotations


def outer_layers(n_layers: int, budget: int) -> tuple[int, ...]:
    """The first and last `budget / 2` layers: where a language is understood, and where it is produced."""
    half = budget // 2
    return (*range(half), *range(n_layers - half, n_layers))


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


def all_layers(n_layers: int, budget: int) -> tuple[int, ...]:
    """Every layer."""
    return tuple(range(n_layers))
