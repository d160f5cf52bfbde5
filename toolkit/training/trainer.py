"""transformers' Trainer, with checkpoints that hold what trains alone: the frozen weights are in the base already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate.utils import DistributedDataParallelKwargs
from safetensors.torch import load_file, save_file
from transformers import Trainer, TrainerState
from transformers.trainer_pt_utils import LengthGroupedSampler

from toolkit.training.distributed import fill, whole
from toolkit.training.finite import refuse_not_finite

TRAINED_FILE = "trained.safetensors"
STATE_FILE = "trainer_state.json"  # Trainer writes it last, so where it is, the checkpoint is whole


class PartialTrainer(Trainer):
    """Saves and restores only the parameters that train; its batches do not depend on the number of processes."""

    def _build_accelerator_args(self, **options: Any) -> dict[str, Any]:
        """Lets gradients lie in the buckets in which DDP averages them, instead of beside them."""
        built: dict[str, Any] = super()._build_accelerator_args(**options)
        for handler in built.get("kwargs_handlers", ()):
            if isinstance(handler, DistributedDataParallelKwargs):
                handler.gradient_as_bucket_view = True
        return built

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        tensors = trained_parameters(self.model)  # in every process: shards are gathered
        if self.args.should_save:
            refuse_not_finite(tensors)
            folder = Path(output_dir or self.args.output_dir or ".")
            folder.mkdir(parents=True, exist_ok=True)
            save_file(tensors, folder / TRAINED_FILE)

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroupedSampler:
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        dataset: Any = train_dataset or self.train_dataset
        return LengthGroupedSampler(batch, lengths=list(dataset["length"]))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        restore(model or self.model, Path(resume_from_checkpoint))


def trained_parameters(model: Any) -> dict[str, torch.Tensor]:
    """The parameters that train, whole and on the CPU, by their names; empty in a process that does not lead."""
    tensors = {name: whole(parameter) for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def restore(model: Any, checkpoint: Path) -> TrainerState:
    """Put the parameters of a checkpoint into the model; returns how far training had come."""
    live = dict(model.named_parameters())
    for name, tensor in load_file(checkpoint / TRAINED_FILE).items():
        fill(live[name], tensor)
    return TrainerState.load_from_json(str(checkpoint / STATE_FILE))


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written whole."""
    whole = [path for path in folder.glob("checkpoint-*") if (path / STATE_FILE).is_file()]
    return max(whole, key=_step, default=None)


def holds_checkpoint(folder: Path) -> bool:
    """Whether a checkpoint of any phase was written whole."""
    return any(folder.rglob(f"checkpoint-*/{STATE_FILE}"))


def steps_at(folder: Path) -> int:
    """How many steps of a phase its newest checkpoint holds."""
    newest = last_checkpoint(folder)
    return 0 if newest is None else _step(newest)


def finished(folder: Path, steps: int) -> Path | None:
    """The last checkpoint of a phase that came to its end, after so many steps; Trainer saves one there."""
    newest = last_checkpoint(folder)
    return newest if newest is not None and _step(newest) >= steps else None


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
