"""What trains, tensor by tensor of the base, and how that is saved in the base's own dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from toolkit.delta.checkpoint import open_checkpoint

SHARD_BYTES = 2 << 30  # what saving holds in memory at once, beside the model


@dataclass(frozen=True)
class TrainedTensor:
    """A tensor of the base that training changes: through which parameters, and what it becomes.

    Every method of training is a function that prepares a model and returns these.
    """

    name: str  # in the base
    parameters: tuple[torch.nn.Parameter, ...]  # the tensor itself, some of its rows, or an adapter's two factors
    merge: Callable[[torch.Tensor], torch.Tensor]  # the base's tensor -> the trained one, in the base's dtype


def count_trained(trained: Sequence[TrainedTensor]) -> int:
    """How many numbers the optimiser may change."""
    return sum(parameter.numel() for tensor in trained for parameter in tensor.parameters)


def save_trained(trained: Sequence[TrainedTensor], base: Path, folder: Path) -> Path:
    """Write each trained tensor, whole and in the dtype that it has in the base, into safetensors in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    originals = open_checkpoint(base).tensors
    shard: dict[str, torch.Tensor] = {}
    shards = 0
    for index, tensor in enumerate(trained):
        with safe_open(originals[tensor.name].file, "pt") as file:
            shard[tensor.name] = tensor.merge(file.get_tensor(tensor.name)).contiguous()
        if index == len(trained) - 1 or sum(part.nbytes for part in shard.values()) >= SHARD_BYTES:
            shards += 1
            save_file(shard, folder / f"trained-{shards:05}.safetensors")
            shard = {}
    return folder


def in_base_dtype(start: torch.Tensor, trained: torch.Tensor) -> torch.Tensor:
    """Trained weights in the dtype of the weights that they started from.

    Where training kept them in a dtype that cannot hold the base exactly (a float16 base trained in bfloat16), what
    was learned is added to the base's own weights, so that rounding on loading never shows up as a change.
    """
    trained = trained.detach().to(start.device)
    if torch.equal(start.to(trained.dtype).to(start.dtype), start):
        return trained.to(start.dtype)
    learned = trained.float() - start.to(trained.dtype).float()
    return (start.float() + learned).to(start.dtype)
