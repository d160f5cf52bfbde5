"""In which dtype weights are kept while training: those that train, and those that are frozen."""

from __future__ import annotations

import torch

from toolkit.recipe import Recipe


def trained_dtype(recipe: Recipe) -> torch.dtype:
    """The dtype of the weights that train, and of their gradients.

    Unless asked for: bfloat16 on a GPU that has it with 8-bit AdamW, which rounds so that small steps are not lost
    (rounding.py); float32 elsewhere, and for LoRA, whose adapters are small.
    """
    if recipe.trained_dtype != "auto":
        return torch.float32 if recipe.trained_dtype == "float32" else torch.bfloat16
    rounds = recipe.optimizer == "adamw_8bit" and recipe.method != "lora"
    return torch.bfloat16 if rounds and _has_bfloat16_gpu() else torch.float32


def frozen_dtype(recipe: Recipe) -> torch.dtype:
    """The dtype of the frozen weights: on a CPU that of the trained ones, on a GPU 16 bits."""
    if not torch.cuda.is_available():
        return trained_dtype(recipe)
    return torch.bfloat16 if _has_bfloat16_gpu() else torch.float16


def autocast_dtype(recipe: Recipe) -> torch.dtype | None:
    """The dtype in which the model computes where anything is kept in 16 bits; None where nothing is."""
    kept = (frozen_dtype(recipe), trained_dtype(recipe))
    return next((dtype for dtype in kept if dtype != torch.float32), None)


def _has_bfloat16_gpu() -> bool:
    """Whether the card computes in bfloat16 itself; PyTorch emulates it, slowly, on cards before Ampere."""
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
