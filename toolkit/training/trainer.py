"""transformers' Trainer, with checkpoints that hold what trains alone: the frozen weights are in the base already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import Trainer, TrainerState

TRAINED_FILE = "trained.safetensors"
STATE_FILE = "trainer_state.json"  # Trainer writes it last, so where it is, the checkpoint is whole


class PartialTrainer(Trainer):
    """Saves and restores only the parameters that train."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir or self.args.output_dir or ".")
        folder.mkdir(parents=True, exist_ok=True)
        save_file(trained_parameters(self.model), folder / TRAINED_FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        restore(model or self.model, Path(resume_from_checkpoint))


def trained_parameters(model: Any) -> dict[str, torch.Tensor]:
    """The parameters that train, on the CPU, by their names in the model."""
    return {
        name: parameter.detach().cpu().contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def restore(model: Any, checkpoint: Path) -> TrainerState:
    """Put the parameters of a checkpoint into the model; returns how far training had come."""
    live = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in load_file(checkpoint / TRAINED_FILE).items():
            live[name].copy_(tensor)
    return TrainerState.load_from_json(str(checkpoint / STATE_FILE))


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written whole."""
    whole = [path for path in folder.glob("checkpoint-*") if (path / STATE_FILE).is_file()]
    return max(whole, key=_step, default=None)


def finished(folder: Path, steps: int) -> Path | None:
    """The last checkpoint of a phase that came to its end, after so many steps; Trainer saves one there."""
    newest = last_checkpoint(folder)
    return newest if newest is not None and _step(newest) >= steps else None


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
