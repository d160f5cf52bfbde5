"""Which library loads the model to train: transformers, or unsloth with its faster kernels for NVIDIA cards.

Recipe, selection and delta are the same with either. The way through unsloth has not yet been run on a GPU. Who trains
with it from Python imports it before transformers, as `cogsym train` does; else it warns, and replaces less.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import torch

from toolkit.environment import is_installed
from toolkit.errors import MissingPartError
from toolkit.pretrained import load_base
from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.training.distributed import sharded
from toolkit.training.dtypes import frozen_dtype
from toolkit.training.quantized import quantize_frozen

BackendName = Literal["transformers", "unsloth"]


def backend_of(recipe: Recipe) -> BackendName:
    """The backend that this recipe means here: `auto` is unsloth where it is installed, on a GPU with all of the model.

    Raises:
        MissingPartError: if unsloth is asked for, and the package or the GPU is missing.
    """
    installed, gpu = is_installed("unsloth"), torch.cuda.is_available()
    if recipe.backend == "auto":
        return "unsloth" if installed and gpu and not sharded() else "transformers"
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
    """Model and tokenizer, on the device that trains, with the frozen layers in the bits that the recipe asks for.

    Where the model will be sharded it stays in main memory: FSDP takes each process's part of it to a card, layer by
    layer, so that no card ever holds all of it.
    """
    device = torch.device("cuda" if torch.cuda.is_available() and not sharded() else "cpu")
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
    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")  # else each load downloads a file to be counted
    from unsloth import FastLanguageModel  # before transformers, where that is not imported yet: see `environment`

    from transformers import AutoTokenizer  # isort: skip

    model, _ = FastLanguageModel.from_pretrained(
        str(base),
        max_seq_length=recipe.max_tokens,
        dtype=frozen_dtype(recipe),
        load_in_4bit=False,  # which layers are in 4 bits is decided by the selection
        full_finetuning=True,
        use_gradient_checkpointing=False,  # `checkpoint_activations` does it, from the lowest layer that trains on
        offload_embedding=False,  # they may train, and with little memory unsloth would move them to the host
        local_files_only=True,
    )
    # Unsloth makes the embeddings' output need a gradient even so; then every frozen layer would be differentiated.
    model.disable_input_require_grads()
    # Unsloth may add tokens to the tokenizer; a prompt must be tokenized the same everywhere.
    return model, AutoTokenizer.from_pretrained(base, local_files_only=True)
