"""Other places that can show a run while it trains: TensorBoard, Weights & Biases, trackio."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from toolkit.errors import MissingPartError
from toolkit.recipe import Recipe


def require_reporters(recipe: Recipe) -> None:
    """Raise unless every place that the recipe names can be reported to.

    Raises:
        MissingPartError: naming the package.
    """
    for name in recipe.report_to:
        if find_spec(name) is None:
            raise MissingPartError(
                f"`report_to: [{name}]` needs {name}, which is not installed",
                f"pip install {name}, or leave it out: metrics.jsonl has the same numbers",
            )


def trainer_reporters(recipe: Recipe) -> list[str]:
    """What transformers' Trainer reports to by itself; TensorBoard's files would go with the checkpoints."""
    return [name for name in recipe.report_to if name != "tensorboard"]


def tensorboard_callbacks(recipe: Recipe, folder: Path) -> list[Any]:
    """A callback that writes TensorBoard's files into this folder, where the recipe asks for one."""
    if "tensorboard" not in recipe.report_to:
        return []
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations import TensorBoardCallback

    return [TensorBoardCallback(SummaryWriter(str(folder)))]
