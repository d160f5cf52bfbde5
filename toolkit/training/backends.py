"""Which library loads the model to train: transformers, or unsloth with its faster kernels for NVIDIA cards.

Recipe, selection and delta are the same with either. The way through unsloth has not yet been run on a GPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch

from toolkit.environment import is_installed
from toolkit.errors import MissingPartError
from toolkit.pretrained import load_base
from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.training.dtypes import frozen_dtype
from toolkit.training.quantized import quantize_frozen

BackendName = Literal["transformers", "unsloth"]


def backend_of(recipe: Recipe) -> BackendName:
    """The backend that this recipe means here: `auto` is unsloth where it is installed and there is a GPU.

    Raises:
        MissingPartError: if unsloth is asked for, and the package or the GPU is missing.
    """
    installed, gpu = is_installed("unsloth"), torch.cuda.is_available()
    if recipe.backend == "auto":
        return "unsloth" if installed and gpu else "transformers"
    if recipe.backend == "unsloth" and not installed:
        raise MissingPartError(
            "`backend: unsloth` needs unsloth, which is not installed",
            "pip install 'cogsym-toolkit[unsloth]' in an environment of its own, or use `backend: auto`",
        )
    if recipe.backend == "unsloth" and not gpu:
        raise MissingPartError(
            "`backend: unsloth` needs an NVIDIA card, and there is none here",
            "use `backend: auto`, which takes unsloth where it can run and transformers elsewhere",
        )
    return recipe.backend


def load_to_train(recipe: Recipe, selection: SelectionInfo, base: Path) -> tuple[Any, Any]:
    """Model and tokenizer, on the device that trains, with the frozen layers in the bits that the recipe asks for."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if backend_of(recipe) == "unsloth":
        model, tokenizer = _load_with_unsloth(recipe, base)
    else:
        model, tokenizer = load_base(
            base, dtype=frozen_dtype(recipe), device="cpu" if recipe.frozen == "4bit" else device
        )
    if recipe.frozen == "4bit":
        quantize_frozen(model, selection, device)
    return model.to(device), tokenizer


def _load_with_unsloth(recipe: Recipe, base: Path) -> tuple[Any, Any]:
    from transformers import AutoTokenizer
    from unsloth import FastLanguageModel

    model, _ = FastLanguageModel.from_pretrained(
        str(base),
        max_seq_length=recipe.max_tokens,
        dtype=frozen_dtype(recipe),
        load_in_4bit=False,  # which layers are in 4 bits is decided by the selection
        full_finetuning=True,
        use_gradient_checkpointing="unsloth" if recipe.gradient_checkpointing else False,
    )
    # Unsloth may add tokens to the tokenizer; a prompt must be tokenized the same everywhere.
    return model, AutoTokenizer.from_pretrained(base, local_files_only=True)
