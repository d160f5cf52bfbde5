"""Watches a training run: metrics, progress, a loss that is not finite, and Ctrl-C that loses nothing."""

from __future__ import annotations

import math
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from toolkit.errors import TrainingError
from toolkit.training.distributed import leads
from toolkit.training.metrics import append_metrics


@dataclass(frozen=True)
class TrainingStep:
    """What there is to show while training."""

    step: int
    steps: int
    loss: float | None  # mean since the last report, in nats per token
    tokens_per_second: float | None


class Watch(TrainerCallback):
    """Writes metrics, reports progress, stops on a loss that is not finite, and turns Ctrl-C into a checkpoint.

    Steps and tokens are counted over all phases of the run.
    """

    def __init__(self, metrics: Path, report: Callable[[TrainingStep], None] | None, *, steps: int) -> None:
        self.metrics = metrics
        self.report = report
        self.steps = steps
        self.step = 0  # of the whole run
        self.steps_done = 0  # in the phases that are over
        self.tokens_done = 0
        self.first_loss: float | None = None
        self.losses: list[tuple[int, float]] = []  # of this phase: each logged step, and the mean since the one before
        self.interrupted = False
        self._previous: Any = None
        self._mark = (time.monotonic(), 0)
        self._speed: float | None = None
        self._saved = 0  # the step of this phase whose checkpoint is the newest

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        state.compute_steps(args, state.max_steps)  # a checkpoint brings those that it was made with
        self._remember(state)
        self._saved = state.global_step
        self._mark = (time.monotonic(), state.num_input_tokens_seen)
        try:
            self._previous = signal.signal(signal.SIGINT, self._interrupt)
        except ValueError:  # not in the main thread, where Ctrl-C does not arrive either
            self._previous = None

    def passed(self, state: TrainerState) -> None:
        """A phase is over, now or before the run was stopped."""
        self._remember(state)
        self.steps_done += state.global_step
        self.tokens_done += state.num_input_tokens_seen

    def _remember(self, state: TrainerState) -> None:
        """The losses that a phase logged before it was stopped."""
        self.losses = [(int(entry["step"]), entry["loss"]) for entry in state.log_history if "loss" in entry]
        if self.losses and self.first_loss is None:
            self.first_loss = self.losses[0][1]

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.restore_signal()

    def restore_signal(self) -> None:
        """Give Ctrl-C back to whoever had it."""
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.step = self.steps_done + state.global_step
        if self.report is not None:
            loss = self.losses[-1][1] if self.losses else None
            self.report(TrainingStep(self.step, self.steps, loss, self._speed))
        if self.interrupted:
            control.should_save = control.should_training_stop = True
        # The loss of a step judges the weights before it. So it is looked at before each checkpoint is written, and
        # by itself after that: of weights that break in the very step of a checkpoint, the next loss tells.
        if control.should_save or state.global_step == self._saved + 1:
            control.should_log = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._saved = state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        step = self.steps_done + state.global_step
        if logs and "eval_loss" in logs and leads():
            append_metrics(self.metrics, {"step": step, "held_out_loss": float(logs["eval_loss"])})
        if not logs or "loss" not in logs:
            return
        loss, norm = float(logs["loss"]), float(logs.get("grad_norm") or 0.0)
        if not math.isfinite(loss) or not math.isfinite(norm):
            what, value = ("loss", loss) if not math.isfinite(loss) else ("gradient's norm", norm)
            kept = self._drop_unsound(Path(args.output_dir or "."))
            raise TrainingError(
                f"the {what} became {value} at step {step}",
                "start another run, with --out, and with a lower `learning_rate` or `trained_dtype: float32`; resuming "
                f"this one would lead there again ({kept})",
            )
        now, tokens = time.monotonic(), state.num_input_tokens_seen
        self._speed = (tokens - self._mark[1]) / max(now - self._mark[0], 1e-9)
        self._mark = (now, tokens)
        self.first_loss = loss if self.first_loss is None else self.first_loss
        self.losses.append((state.global_step, loss))
        line = {
            "step": step,
            "loss": loss,
            "learning_rate": logs.get("learning_rate"),
            "grad_norm": logs.get("grad_norm"),
            "tokens": self.tokens_done + tokens,
            "tokens_per_second": round(self._speed, 1),
        }
        if leads():
            append_metrics(self.metrics, line)

    def _drop_unsound(self, checkpoints: Path) -> str:
        """Delete the checkpoints that led to a loss that is not finite, and say which one is left.

        Weights are known to be sound after a step if the loss of the next one was finite.
        """
        judged = self.losses[-1][0] if self.losses else 0
        steps = {path: int(path.name.rpartition("-")[2]) for path in checkpoints.glob("checkpoint-*")}
        sound = [step for step in steps.values() if step < judged]
        if leads():
            for path, step in steps.items():
                if step >= judged:
                    shutil.rmtree(path, ignore_errors=True)
        return f"checkpoint-{max(sound)}, from before, is kept" if sound else "no checkpoint from before is left"

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        if self.interrupted:  # asked twice: stop at once
            raise KeyboardInterrupt
        self.interrupted = True
