"""What stops a training run from outside, explained: memory and disk that ran out."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from safetensors import SafetensorError

from toolkit.errors import OutputError, TrainingError, TrainingStopped
from toolkit.run_folder import RunFolder
from toolkit.training.trainer import holds_checkpoint

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# PyTorch raises plain RuntimeErrors for these.
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "alloc_failed")
_WRITER_FAILED = ("pytorchstreamwriter", "inline_container", "unexpected pos")


@contextmanager
def explained(step: Callable[[], int], run: RunFolder) -> Iterator[None]:
    """Turn what PyTorch and the system raise when memory or disk runs out into our own errors.

    Args:
        step: how far training has come.
        run: what is being trained, with its checkpoints.

    Raises:
        TrainingStopped: at once, by Ctrl-C pressed twice.
        TrainingError: out of memory.
        OutputError: the disk is full.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise TrainingStopped(
            f"stopped at once, at step {step()}",
            "`cogsym train --resume RUN` continues from the last checkpoint"
            if holds_checkpoint(run.checkpoints)
            else "`cogsym train --resume RUN` begins it anew: there is no checkpoint yet",
        ) from None
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(step(), run) from error
    except SafetensorError as error:
        raise _disk_full(step(), error) from error
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        raise _disk_full(step(), error) from error
    except RuntimeError as error:
        text = str(error).lower()
        if any(sign in text for sign in _OUT_OF_MEMORY):
            raise _out_of_memory(step(), run) from error
        if any(sign in text for sign in _WRITER_FAILED):
            raise _disk_full(step(), error) from error
        raise


def _out_of_memory(step: int, run: RunFolder) -> TrainingError:
    resume = f"`cogsym train --resume {run.root}`"
    if holds_checkpoint(run.checkpoints):  # what is begun goes on with what learns the same
        return TrainingError(
            f"out of memory at step {step}; the last checkpoint is kept",
            f"in {run.recipe}, lower `micro_batch_size` or set `gradient_checkpointing: true`, and {resume} goes on; "
            "or start another run (--out) with lower `max_tokens`, `optimizer: adamw_8bit`, `frozen: 4bit` or "
            f"`order: front_then_rear`; `cogsym plan --recipe {run.recipe}` says what fits",
        )
    return TrainingError(
        f"out of memory at step {step}, before the first checkpoint",
        f"in {run.recipe}, lower `micro_batch_size` or `max_tokens`, set `gradient_checkpointing: true`, "
        "`optimizer: adamw_8bit` or `frozen: 4bit`, or train one end after the other (`order: front_then_rear`), and "
        f"{resume} begins it anew; `cogsym plan --recipe {run.recipe}` says what fits",
    )


def _disk_full(step: int, error: Exception) -> OutputError:
    cause = str(error).split("\n")[0]
    return OutputError(
        f"step {step} could not be written: {cause}", "free some space, then `cogsym train --resume RUN` goes on"
    )
