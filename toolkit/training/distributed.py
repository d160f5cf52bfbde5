"""One run on several devices: who leads, who waits, and how sharded parameters become whole again.

The processes are started by `accelerate launch` or `torchrun`, which decide between data parallelism (DDP) and sharding
(FSDP2). In a process that is alone, everything here does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from transformers import TrainerCallback

from toolkit.errors import RecipeError
from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.training.trained import TrainedTensor

T = TypeVar("T")

PATIENCE = timedelta(hours=12)  # how long the others wait while one ranks layers or makes the delta


def processes() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def leads() -> bool:
    """Whether this process writes files and prints: the first one, and every process that is alone."""
    return int(os.environ.get("RANK", "0")) == 0


def sharded() -> bool:
    """Whether the processes share one copy of the model (FSDP), instead of each holding all of it (DDP)."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() in ("1", "true")


def idle_cards() -> int:
    """How many GPUs of this machine do nothing, because the process that trains is alone."""
    return max(0, torch.cuda.device_count() - 1) if processes() == 1 else 0


def wait_for_all() -> None:
    """Return when every process has come this far."""
    if processes() > 1:
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE).wait_for_everyone()


def from_leader(make: Callable[[], T]) -> T:
    """What `make` returns in the process that leads, in every process; the others wait for it."""
    if processes() == 1:
        return make()
    from accelerate.utils import broadcast_object_list

    wait_for_all()
    return cast(T, broadcast_object_list([make() if leads() else None])[0])


def accumulation_steps(recipe: Recipe, among: int | None = None) -> int:
    """Forward passes of each process per optimiser step, so that `batch_size` counts the examples of all processes.

    Args:
        among: how many processes; default those that train here.

    Raises:
        RecipeError: if the batch cannot be shared out evenly.
    """
    among = among or processes()
    micro = micro_batch_size(recipe, among)
    steps, rest = divmod(recipe.batch_size, micro * among)
    if rest or not steps:
        raise RecipeError(
            f"batch_size {recipe.batch_size} is not a multiple of {among} processes with {micro} examples each",
            f"set `batch_size` to a multiple of {among}, and `micro_batch_size` to what one process takes",
        )
    return steps


def micro_batch_size(recipe: Recipe, among: int | None = None) -> int:
    """Examples per forward pass of one process."""
    return recipe.micro_batch_size or max(1, recipe.batch_size // (among or processes()))


def check_sharding(recipe: Recipe, selection: SelectionInfo) -> None:
    """Raise where FSDP cannot do what the recipe asks for.

    Raises:
        RecipeError: naming what has to change.
    """
    if not sharded():
        return
    unfit = {
        "method: lora": (recipe.method == "lora", "use `method: weights`"),
        f"select: {recipe.select}": (selection.neurons is not None, "select whole layers, e.g. --select cogsym:25%"),
        f"order: {recipe.order}": (recipe.order != "together", "use `order: together`"),
        "frozen: 4bit": (recipe.frozen == "4bit", "use `frozen: 16bit`"),
        # bitsandbytes takes plain tensors alone: "got mixed torch.Tensor and DTensor" at the first step.
        "optimizer: adamw_8bit": (recipe.optimizer == "adamw_8bit", "use `optimizer: adamw`, of which each has a part"),
        "backend: unsloth": (recipe.backend == "unsloth", "use `backend: transformers`"),
    }
    for setting, (found, instead) in unfit.items():
        if found:
            raise RecipeError(
                f"`{setting}` cannot be trained with sharded parameters (FSDP)",
                f"{instead}, or launch it with data parallelism (DDP)",
            )


def whole(parameter: torch.Tensor) -> torch.Tensor | None:
    """The full tensor on the CPU, in the process that leads; None in the others.

    Every process must call this for the same parameters in the same order: sharded ones are gathered one at a time.
    """
    full = parameter.detach()
    if _is_sharded(full):
        full = full.full_tensor()  # type: ignore[attr-defined]
    return full.cpu().contiguous() if leads() else None


def fill(parameter: torch.Tensor, values: torch.Tensor) -> None:
    """Copy a full tensor into a parameter of which this process may hold a shard only."""
    with torch.no_grad():
        if _is_sharded(parameter):
            from torch.distributed.tensor import distribute_tensor

            mesh, placements = parameter.device_mesh, parameter.placements  # type: ignore[attr-defined]
            values = distribute_tensor(values.to(mesh.device_type), mesh, placements)
        parameter.copy_(values)


def _is_sharded(tensor: torch.Tensor) -> bool:
    return hasattr(tensor, "full_tensor") and hasattr(tensor, "device_mesh")


class ShardedParameters(TrainerCallback):
    """Keeps the trained tensors in touch with the model when FSDP puts shards in the place of its parameters."""

    def __init__(self, model: Any, trained: Sequence[TrainedTensor]) -> None:
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._trained = trained

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Free the full tensors that were replaced."""
        live = {id(parameter) for parameter in model.parameters()}
        for parameter in self._parameters():
            if id(parameter) not in live:
                parameter.data = torch.empty(0, dtype=parameter.dtype)

    def gather(self, model: Any) -> None:
        """Fill the parameters that were replaced with what their shards have become, in the process that leads."""
        live = dict(model.named_parameters())
        for parameter in self._parameters():
            current = live[self._names[id(parameter)]]
            if current is not parameter:
                full = whole(current)
                if full is not None:
                    parameter.data = full

    def _parameters(self) -> list[torch.nn.Parameter]:
        return [parameter for tensor in self._trained for parameter in tensor.parameters]
