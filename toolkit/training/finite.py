"""Weights that are not finite are never saved."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from toolkit.errors import TrainingError


def refuse_not_finite(tensors: Mapping[str, torch.Tensor]) -> None:
    """Raise where a tensor holds a value that is no number, or is infinite.

    Raises:
        TrainingError: naming the first one.
    """
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise TrainingError(
                f"weights are not finite any more, first in {name}: they are not saved",
                "start another run, with --out, and with a lower `learning_rate` or `trained_dtype: float32`",
            )
