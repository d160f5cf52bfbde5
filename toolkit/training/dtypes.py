"""In which dtype weights are kept while training: those that train, and those that are frozen."""

from __future__ import annotations

import torch

from toolkit.recipe import Recipe


def trained_dtype(recipe: Recipe) -> torch.dtype:
    """The dtype of the weights that train, and of their gradients.

    Unless asked for: bfloat16 on a GPU that has it, float32 elsewhere and for LoRA, whose adapters are small.
    """
    if recipe.trained_dtype != "auto":
        return torch.float32 if recipe.trained_dtype == "float32" else torch.bfloat16
    return torch.bfloat16 if _has_bfloat16_gpu() and recipe.method != "lora" else torch.float32


def frozen_dtype(recipe: Recipe) -> torch.dtype:
    """The dtype of the frozen weights: on a CPU that of the trained ones, on a GPU 16 bits."""
    if not torch.cuda.is_available():
        return trained_dtype(recipe)
    return torch.bfloat16 if _has_bfloat16_gpu() else torch.float16


def _has_bfloat16_gpu() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
