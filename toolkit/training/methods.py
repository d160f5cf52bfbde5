"""The three ways to train a selection: its tensors themselves, some of their neurons, or LoRA adapters beside them."""

from __future__ import annotations

from typing import Any, Literal

from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.training.dtypes import trained_dtype
from toolkit.training.neurons import train_neurons
from toolkit.training.tensors import train_tensors
from toolkit.training.trained import TrainedTensor

MethodName = Literal["weights", "neurons", "lora"]


def method_of(recipe: Recipe, selection: SelectionInfo) -> MethodName:
    """How this selection trains: LoRA where the recipe asks for it, neurons where the selection names some."""
    if recipe.method == "lora":
        return "lora"
    return "weights" if selection.neurons is None else "neurons"


def make_trainable(model: Any, recipe: Recipe, selection: SelectionInfo) -> tuple[TrainedTensor, ...]:
    """Freeze the model except for what the selection trains; returns the base's tensors that this changes."""
    model.requires_grad_(False)
    model.config.use_cache = False
    dtype = trained_dtype(recipe)
    method = method_of(recipe, selection)
    if method == "lora":
        from toolkit.training.lora import add_adapters

        return add_adapters(model, recipe, selection, dtype)
    if method == "neurons":
        return train_neurons(model, selection, dtype)
    return train_tensors(model, selection.parameters, dtype)
