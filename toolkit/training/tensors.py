"""Training whole tensors: the parameters of the selection themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from toolkit.training.trained import TrainedTensor, in_base_dtype


def train_tensors(model: Any, names: Iterable[str], dtype: torch.dtype) -> tuple[TrainedTensor, ...]:
    """Let the parameters of these names train, kept in this dtype."""
    live = dict(model.named_parameters())
    return tuple(_train(name, live[name], dtype) for name in names)


def _train(name: str, parameter: torch.nn.Parameter, dtype: torch.dtype) -> TrainedTensor:
    parameter.data = parameter.data.to(dtype)
    parameter.requires_grad_(True)
    return TrainedTensor(name, (parameter,), lambda start: in_base_dtype(start, parameter))
