"""How heavy-tailed a layer's weights are: the ranking of HT-SR and AlphaLoRA (Qing et al. 2024).

A matrix whose spectrum has a light tail, and so a large exponent alpha, is taken to be less trained; the layers with
the highest mean alpha train.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from safetensors import safe_open

from toolkit.delta.checkpoint import Checkpoint, open_checkpoint
from toolkit.errors import BaseModelError
from toolkit.selection.evidence import Evidence, Ranking
from toolkit.selection.layout import ModelLayout

Tail = Literal["median", "peak"]
PEAK_BINS = 100


def rank_by_alpha(layout: ModelLayout, evidence: Evidence, tail: Tail = "median") -> Ranking:
    """The mean exponent of each layer's matrices; norms and biases have no spectrum.

    One matrix at a time is read from the checkpoint, so the model need not fit into memory.

    Raises:
        BaseModelError: if a matrix is missing, empty of information, or not a matrix.
    """
    checkpoint = open_checkpoint(evidence.base)
    scores = []
    matrices = 0
    for index, names in enumerate(layout.layers):
        own = [name for name in names if _is_matrix(layout.shapes[name], name)]
        alphas = [hill_alpha(eigenvalues(_read(checkpoint, name), name), tail) for name in own]
        if not alphas:
            raise BaseModelError(f"layer {index} of this model has no matrix", "choose layers by position")
        scores.append(sum(alphas) / len(alphas))
        matrices += len(alphas)
        if evidence.report:
            evidence.report("reading the spectrum of each layer", index + 1, layout.n_layers)
    return Ranking(tuple(scores), {"tail": tail, "matrices": matrices})


def hill_alpha(eigenvalues: torch.Tensor, tail: Tail = "median") -> float:
    """Hill's estimate of the exponent of a power law, 1 + k / sum(ln(lambda / lambda_min)), over the k in the tail.

    Args:
        eigenvalues: positive, ascending.
        tail: where it starts. `median`: at eigenvalue n // 2 of n, counted from 0. `peak`: at the lower edge of the
            fullest of 100 equal bins of their logarithms, the first of those that are equally full.

    Returns:
        The exponent, infinite where the whole tail is one value.
    """
    logs = eigenvalues.double().log()
    if tail == "median":
        start = len(logs) // 2
    else:
        low, high = logs[0].item(), logs[-1].item()
        fullest = int(torch.histc(logs, PEAK_BINS, low, high).argmax()) if high > low else 0
        start = int(torch.searchsorted(logs, low + fullest * (high - low) / PEAK_BINS))
    above = (logs[start:] - logs[start]).sum().item()
    return 1 + (len(logs) - start) / above if above > 0 else math.inf


def eigenvalues(matrix: torch.Tensor, name: str = "the matrix") -> torch.Tensor:
    """The squared singular values that are not zero by numerical rank, ascending.

    Raises:
        BaseModelError: if the matrix holds nothing but zeros, or values that are not finite.
    """
    weights = matrix.to("cuda" if torch.cuda.is_available() else "cpu", torch.float32)
    if not weights.isfinite().all():
        raise BaseModelError(f"{name} holds values that are not finite", "download the base again")
    singular = torch.linalg.svdvals(weights).flip(0)
    nonzero = singular[singular > singular[-1] * max(weights.shape) * torch.finfo(torch.float32).eps]
    if not len(nonzero):
        raise BaseModelError(f"{name} is all zeros, so it has no spectrum", "choose layers by position")
    return nonzero.double().square().cpu()


def _is_matrix(shape: tuple[int, ...], name: str) -> bool:
    if len(shape) > 2:
        raise BaseModelError(
            f"{name} has {len(shape)} dimensions, and alpha is defined for matrices alone", "choose layers by position"
        )
    return len(shape) == 2


def _read(checkpoint: Checkpoint, name: str) -> torch.Tensor:
    span = checkpoint.tensors.get(name)
    if span is None:
        raise BaseModelError(
            f"the checkpoint holds no {name}", "save the base with transformers, under the names of its own parameters"
        )
    with safe_open(span.file, "pt") as file:
        return file.get_tensor(name)
