"""What a recipe asks for that this machine or this selection cannot give, told before any work is done."""

from __future__ import annotations

import torch

from toolkit.environment import is_installed
from toolkit.errors import MissingPartError, RecipeError, SelectionError
from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout
from toolkit.training.backends import backend_of
from toolkit.training.distributed import accumulation_steps, check_sharding
from toolkit.training.dtypes import frozen_dtype
from toolkit.training.phases import phases_of
from toolkit.training.reporting import require_reporters


def preflight(recipe: Recipe, selection: SelectionInfo, layout: ModelLayout) -> None:
    """Raise unless training can start.

    Raises:
        MissingPartError: if a package or a GPU that the recipe asks for is missing.
        RecipeError: if several processes cannot share the work, or the recipe contradicts itself.
        SelectionError: if the way of training and the selection contradict each other.
    """
    if recipe.optimizer == "adamw_8bit":
        _require("bitsandbytes", "8bit", "optimizer: adamw_8bit", "optimizer: adamw")
    if recipe.frozen == "4bit":
        _require("bitsandbytes", "8bit", "frozen: 4bit", "frozen: 16bit")
    if recipe.method == "lora":
        _require("peft", "lora", "method: lora", "method: weights")
    refuse_contradictions(recipe, selection, layout)
    if recipe.trained_dtype == "bfloat16" and frozen_dtype(recipe) == torch.float16:
        raise MissingPartError(
            "`trained_dtype: bfloat16` needs a card that computes in bfloat16 (Ampere or later), and this one does not",
            "use `trained_dtype: auto`",
        )
    require_reporters(recipe)
    accumulation_steps(recipe)
    check_sharding(recipe, selection)
    backend_of(recipe)


def refuse_contradictions(recipe: Recipe, selection: SelectionInfo, layout: ModelLayout) -> None:
    """Raise where no machine could train this selection in this way.

    Raises:
        RecipeError: if two settings contradict each other.
        SelectionError: if the way of training and the selection do.
    """
    if (recipe.trained_dtype, recipe.optimizer, recipe.method) == ("bfloat16", "adamw", "weights"):
        raise RecipeError(
            "`trained_dtype: bfloat16` with `optimizer: adamw` rounds most steps away: they are smaller than half the "
            "distance between two numbers in bfloat16",
            "use `optimizer: adamw_8bit`, which rounds at random and keeps them in the mean, or `trained_dtype: auto`",
        )
    if recipe.frozen == "4bit" and not set().union(*layout.layers) - set(selection.parameters):
        raise SelectionError(
            f"`frozen: 4bit` has nothing to work on: {selection.method} freezes no decoder layer",
            "select fewer layers, e.g. --select cogsym:25%, or use `frozen: 16bit`",
        )
    if recipe.method == "lora":
        if selection.neurons is not None:
            raise SelectionError(
                f"`method: lora` puts adapters beside whole matrices, and {selection.method} trains single neurons",
                "use `method: weights`, or another selection, e.g. --select cogsym:25%",
            )
        if layout.tied and (selection.embeddings or selection.head):  # an adapter of the one would not reach the other
            raise SelectionError(
                "`method: lora` cannot adapt embeddings that are the LM head too, as they are in this base",
                "set `embeddings: false` and `head: false`, or use `method: weights`",
            )
    phases_of(recipe, selection, layout)


def _require(package: str, extra: str, setting: str, instead: str) -> None:
    if not is_installed(package):
        raise MissingPartError(
            f"`{setting}` needs {package}, which is not installed",
            f"pip install 'cogsym-toolkit[{extra}]', or use `{instead}`",
        )
