"""transformers' Trainer, with checkpoints that hold the trained tensors alone and a stop that loses nothing."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from toolkit.errors import TrainingError
from toolkit.training.metrics import append_metrics

TRAINED_FILE = "trained.safetensors"


@dataclass(frozen=True)
class TrainingStep:
    """What there is to show while training."""

    step: int
    steps: int
    loss: float | None  # mean since the last report, in nats per token
    tokens_per_second: float | None


class PartialTrainer(Trainer):
    """Saves and restores only the parameters that train: the frozen ones are in the base already."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir or self.args.output_dir or ".")
        folder.mkdir(parents=True, exist_ok=True)
        save_file(trained_tensors(self.model), folder / TRAINED_FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self.load_trained(Path(resume_from_checkpoint))

    def load_trained(self, checkpoint: Path) -> None:
        """Put the weights of a checkpoint into the model."""
        saved = load_file(checkpoint / TRAINED_FILE)
        live = dict(self.model.named_parameters())  # type: ignore[union-attr]
        with torch.no_grad():
            for name, tensor in saved.items():
                live[name].copy_(tensor)


def trained_tensors(model: Any) -> dict[str, torch.Tensor]:
    """The parameters that train, on the CPU, by name."""
    return {
        name: parameter.detach().cpu().contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


class Watch(TrainerCallback):
    """Writes metrics, reports progress, stops on a loss that is not finite, and turns Ctrl-C into a checkpoint."""

    def __init__(self, metrics: Path, report: Callable[[TrainingStep], None] | None) -> None:
        self.metrics = metrics
        self.report = report
        self.first_loss: float | None = None
        self.last_loss: float | None = None
        self.interrupted = False
        self._previous: Any = None
        self._mark = (time.monotonic(), 0)
        self._speed: float | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        history = [entry for entry in state.log_history if "loss" in entry]
        if history:
            self.first_loss = history[0]["loss"]
        self._mark = (time.monotonic(), state.num_input_tokens_seen)
        try:
            self._previous = signal.signal(signal.SIGINT, self._interrupt)
        except ValueError:  # not in the main thread, where Ctrl-C does not arrive either
            self._previous = None

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.restore_signal()

    def restore_signal(self) -> None:
        """Give Ctrl-C back to whoever had it."""
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.report is not None:
            self.report(TrainingStep(state.global_step, state.max_steps, self.last_loss, self._speed))
        if self.interrupted:
            control.should_save = control.should_training_stop = True
        if control.should_save:
            control.should_log = True  # so that no checkpoint of a broken state is written: see on_log

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if logs and "eval_loss" in logs:
            append_metrics(self.metrics, {"step": state.global_step, "held_out_loss": float(logs["eval_loss"])})
        if not logs or "loss" not in logs:
            return
        loss, norm = float(logs["loss"]), float(logs.get("grad_norm") or 0.0)
        if not math.isfinite(loss) or not math.isfinite(norm):
            what, value = ("loss", loss) if not math.isfinite(loss) else ("gradient's norm", norm)
            raise TrainingError(
                f"the {what} became {value} at step {state.global_step}",
                "lower `learning_rate`, or set `trained_dtype: float32`; the last good checkpoint is kept",
            )
        now, tokens = time.monotonic(), state.num_input_tokens_seen
        self._speed = (tokens - self._mark[1]) / max(now - self._mark[0], 1e-9)
        self._mark = (now, tokens)
        self.first_loss = loss if self.first_loss is None else self.first_loss
        self.last_loss = loss
        line = {
            "step": state.global_step,
            "loss": loss,
            "learning_rate": logs.get("learning_rate"),
            "grad_norm": logs.get("grad_norm"),
            "tokens": tokens,
            "tokens_per_second": round(self._speed, 1),
        }
        append_metrics(self.metrics, line)

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        if self.interrupted:  # asked twice: stop at once
            raise KeyboardInterrupt
        self.interrupted = True
