"""The weights as they are on the way, saved after given steps for whoever wants to measure them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from toolkit.errors import TrainingError
from toolkit.training.distributed import processes
from toolkit.training.trained import TrainedTensor, save_trained
from toolkit.training.watch import Watch


@dataclass(frozen=True)
class Snapshots:
    """After which steps of the whole run the weights are wanted, and who takes them.

    A resumed run takes those again that come after its checkpoint; by then they may exist, and are the same.
    """

    steps: Sequence[int]
    take: Callable[[int, Callable[[Path], Path]], None]  # (step, what saves the trained tensors into a folder)


class SnapshotCallback(TrainerCallback):
    """Calls `Snapshots.take` when its step has come; before the checkpoint of that step is written."""

    def __init__(self, snapshots: Snapshots, trained: Sequence[TrainedTensor], base: Path, watch: Watch) -> None:
        if snapshots.steps and processes() > 1:
            raise TrainingError(
                "weights cannot be kept on the way while several processes train",
                "train in one process, or without snapshots",
            )
        self.snapshots, self.trained, self.base, self.watch = snapshots, trained, base, watch

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        step = self.watch.steps_done + state.global_step
        if step in self.snapshots.steps:
            self.snapshots.take(step, lambda folder: save_trained(self.trained, self.base, folder))
