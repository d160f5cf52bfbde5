"""What a budget buys: decoder layers (`8`, or `25%` of them), or a share of all the weights (`1%`)."""

from __future__ import annotations

import re

from toolkit.errors import SelectionError


def layers_for(budget: str, n_layers: int, *, even: bool = False) -> int:
    """Number of layers that `budget` means in a model of `n_layers`.

    A share is rounded to the nearest number that works, at least one (two, when `even`); a number of layers is taken
    as it stands.

    Raises:
        SelectionError: if the budget is not of either form, is odd where it must be even, or exceeds the model; or
            if both ends of a single layer are asked for.
    """
    unit = 2 if even else 1
    if n_layers < unit:
        raise SelectionError("a model of one layer has no two ends", "use a base with more layers, or --select full")
    share = _share(budget)
    if share is not None:
        return max(unit, min(n_layers - n_layers % unit, unit * round(share * n_layers / unit)))
    if re.fullmatch(r"[0-9]+", budget.strip()) is None:
        raise SelectionError(f"budget '{budget}' is neither layers nor a share", "write a number (8) or a share (25%)")
    layers = int(budget)
    if layers % unit:
        raise SelectionError(
            f"a budget of {layers} layers is odd, and half of it goes to each end", f"use {layers - 1} or {layers + 1}"
        )
    if not 0 < layers <= n_layers:
        raise SelectionError(
            f"a budget of {layers} layers does not fit a model of {n_layers}",
            f"use {unit} to {n_layers - n_layers % unit}",
        )
    return layers


def share_of_weights(budget: str) -> float:
    """The share, 0 to 1, that a budget of weights means; such a budget is always written in percent.

    Raises:
        SelectionError: if it is not, or not above 0% and at most 100%.
    """
    share = _share(budget)
    if share is None:
        raise SelectionError(f"budget '{budget}' is not a share of the weights", "write a share, like 1%")
    return share


def _share(budget: str) -> float | None:
    """The share that `25%` means, 0 to 1; None for a budget that is not written in percent."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%", budget.strip())
    if match is None:
        return None
    share = float(match[1]) / 100
    if not 0 < share <= 1:
        raise SelectionError(f"a budget of {budget} is not a share of the model", "use more than 0% and at most 100%")
    return share


def parse_layers(text: str, n_layers: int) -> tuple[int, ...]:
    """Layer indices written as `0-3,28-31`.

    Raises:
        SelectionError: if the text is not of that form or names a layer that the model does not have.
    """
    layers: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if match is None:
            raise SelectionError(f"'{text}' is not a list of layers", "write it like layers:0-3,28-31")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last >= n_layers:
            raise SelectionError(
                f"layers '{part.strip()}' are not in this model", f"its layers are 0 to {n_layers - 1}, smaller first"
            )
        layers.update(range(first, last + 1))
    return tuple(sorted(layers))
