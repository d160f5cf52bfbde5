"""Training LoRA adapters (Hu et al. 2021, through peft) on the matrices of the selection.

The selection decides where adapters go: on every linear layer of its decoder layers, and on embeddings and LM head
where it includes them. Norms and biases have no adapters and stay frozen. r is the rank, scale is alpha / r.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.training.trained import TrainedTensor

_NAME = "default"  # peft's name for the only adapter of a model


def add_adapters(model: Any, recipe: Recipe, selection: SelectionInfo, dtype: torch.dtype) -> tuple[TrainedTensor, ...]:
    """Put an untrained adapter, kept in this dtype, beside every matrix of the selection; they alone train."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=adapted_modules(model, selection),
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(recipe.seed)  # an adapter starts with one random factor
        inject_adapter_in_model(config, model, adapter_name=_NAME)
    trained = []
    for path, module in model.named_modules():
        if hasattr(module, "lora_embedding_A") and _NAME in (*module.lora_A, *module.lora_embedding_A):
            trained.append(_adapter(f"{path}.weight", module, dtype))
    return tuple(trained)


def adapted_modules(model: Any, selection: SelectionInfo) -> list[str]:
    """Names of the linear and embedding modules whose weight the selection names."""
    selected = set(selection.parameters)
    return [
        path
        for path, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | torch.nn.Embedding) and f"{path}.weight" in selected
    ]


def save_adapter(model: Any, folder: Path, base_id: str) -> Path:
    """Save the adapter as peft does, for `PeftModel.from_pretrained(base, folder)`.

    Args:
        base_id: what to record as the base; never a path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"base_model.model.{name.replace(f'.{_NAME}', '')}": parameter.detach().cpu().contiguous()
        for name, parameter in model.named_parameters()
        if ".lora_" in name
    }
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = model.peft_config[_NAME]
    config.base_model_name_or_path = base_id
    config.inference_mode = True
    config.save_pretrained(folder)
    return folder


def _adapter(name: str, module: Any, dtype: torch.dtype) -> TrainedTensor:
    embedding = _NAME in module.lora_embedding_A
    if embedding:
        down, up = module.lora_embedding_A[_NAME], module.lora_embedding_B[_NAME]  # (r, tokens), (D, r)
    else:
        down, up = module.lora_A[_NAME].weight, module.lora_B[_NAME].weight  # (r, inputs), (outputs, r)
    for parameter in (down, up):
        parameter.data = parameter.data.to(dtype)
        parameter.requires_grad_(True)
    scale = module.scaling[_NAME]

    def merge(start: Tensor) -> Tensor:
        """In float32, and rounded once, to the base's dtype."""
        change = scale * (up.detach().float() @ down.detach().float()).to(start.device)
        return (start.float() + (change.T if embedding else change)).to(start.dtype)

    return TrainedTensor(name, (down, up), merge)
