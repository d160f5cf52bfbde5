"""The optimiser that a recipe names."""

from __future__ import annotations

from typing import Any

import torch

from toolkit.recipe import Recipe


def optimizer_of(recipe: Recipe, model: Any) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """The class of the optimiser and its settings, but for parameters and their weight decay."""
    settings: dict[str, Any] = {"lr": recipe.learning_rate, "betas": (0.9, 0.999), "eps": 1e-8}
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW, settings | {"fused": torch.cuda.is_available()}
    from toolkit.training.rounding import RoundingAdamW8bit

    embeddings = [module.weight for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    return RoundingAdamW8bit, settings | {"in_32_bits": embeddings, "seed": recipe.seed}
