"""What trains, tensor by tensor of the base, and how that is saved in the base's own dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from toolkit.delta.checkpoint import open_checkpoint
from toolkit.errors import BaseModelError
from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout
from toolkit.training.finite import refuse_not_finite

SHARD_BYTES = 2 << 30  # what saving holds in memory at once, beside the model


@dataclass(frozen=True)
class TrainedTensor:
    """A tensor of the base that training changes: through which parameters, and what it becomes.

    Every method of training is a function that prepares a model and returns these.
    """

    name: str  # in the base
    parameters: tuple[torch.nn.Parameter, ...]  # the tensor itself, some of its rows, or an adapter's two factors
    merge: Callable[[torch.Tensor], torch.Tensor]  # the base's tensor -> the trained one, in the base's dtype
    twin: str | None = None  # under which the base stores the same weights once more


def count_trained(trained: Sequence[TrainedTensor]) -> int:
    """How many numbers the optimiser may change."""
    return sum(parameter.numel() for tensor in trained for parameter in tensor.parameters)


def check_names(selection: SelectionInfo, base: Path) -> None:
    """Raise unless the base's files hold every tensor of the selection, so that what was trained can be saved.

    Raises:
        BaseModelError: naming the first that is missing; transformers renames the tensors of some models on loading.
    """
    missing = [name for name in selection.parameters if name not in open_checkpoint(base).tensors]
    if missing:
        raise BaseModelError(
            f"the files of {base.name} hold no tensor {missing[0]} ({len(missing)} of {len(selection.parameters)} that "
            "would train are called otherwise there)",
            "use a base whose tensors are called in its files as in transformers, as Llama's, Mistral's and Qwen's are",
        )


def with_twin(trained: Sequence[TrainedTensor], layout: ModelLayout, base: Path) -> tuple[TrainedTensor, ...]:
    """The same, with the LM head beside embeddings that it is tied to where the base stores it by itself too.

    Whoever loads the merged checkpoint would otherwise find two different tensors, and leave them untied.
    """
    if not layout.tied or layout.own_head not in open_checkpoint(base).tensors:
        return tuple(trained)
    return tuple(replace(each, twin=layout.own_head) if each.name == layout.embeddings else each for each in trained)


def save_trained(trained: Sequence[TrainedTensor], base: Path, folder: Path) -> Path:
    """Write each trained tensor, whole and in the dtype that it has in the base, into safetensors in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    originals = open_checkpoint(base).tensors
    shard: dict[str, torch.Tensor] = {}
    shards = 0
    for index, tensor in enumerate(trained):
        with safe_open(originals[tensor.name].file, "pt") as file:
            shard[tensor.name] = tensor.merge(file.get_tensor(tensor.name)).contiguous()
        if tensor.twin is not None:
            shard[tensor.twin] = shard[tensor.name].clone()
        refuse_not_finite({tensor.name: shard[tensor.name]})  # float16 overflows where float32 did not
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
