"""Where a decoder keeps its embeddings, layers, last norm and LM head: parameter names and shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import BaseModelError


@dataclass(frozen=True)
class ModelLayout:
    """Names and shapes of a decoder's parameters, tied ones once (under the name of the embeddings)."""

    shapes: dict[str, tuple[int, ...]]
    layers: tuple[tuple[str, ...], ...]  # parameter names of each decoder layer
    embeddings: str
    head: str  # the same as `embeddings` where they are tied
    final_norm: tuple[str, ...]
    own_head: str = ""  # the LM head's own name, under which some checkpoints store tied weights once more

    @property
    def n_layers(self) -> int:
        return len(self.layers)

    @property
    def tied(self) -> bool:
        return self.head == self.embeddings

    def count(self, names: tuple[str, ...]) -> int:
        """Weights in these parameters."""
        return sum(math.prod(self.shapes[name]) for name in names)

    @property
    def n_weights(self) -> int:
        return self.count(tuple(self.shapes))


def read_layout(folder: Path) -> ModelLayout:
    """The layout of the model that `config.json` in this folder describes; its weights are not read.

    Raises:
        BaseModelError: if there is no readable configuration, or it describes something else than a causal decoder.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        _refuse_masked(config)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError, KeyError) as error:
        raise BaseModelError(
            f"{folder} holds no causal language model that transformers knows: {str(error).splitlines()[0]}",
            "give a folder with config.json and safetensors weights",
        ) from error
    return layout_of(model)


def layout_of(model: Any) -> ModelLayout:
    """The layout of a transformers causal decoder (Llama, Mistral, Qwen, Gemma and the like).

    Raises:
        BaseModelError: naming the part that could not be found.
    """
    if not getattr(model.config.get_text_config(), "num_attention_heads", None):
        raise BaseModelError(
            f"{type(model).__name__} has no attention",
            "the toolkit knows decoders of the Llama, Mistral, Qwen and Gemma kind",
        )
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}  # tied ones come once
    prefix, depth = _decoder_layers(model)
    layers = tuple(tuple(name for name in shapes if name.startswith(f"{prefix}.{index}.")) for index in range(depth))
    embeddings = _name_of(model, model.get_input_embeddings(), "input embeddings")
    head_module = model.get_output_embeddings()
    if head_module is None:
        raise BaseModelError(f"{type(model).__name__} has no LM head", "use a causal language model")
    tied = head_module.weight is model.get_input_embeddings().weight
    head = embeddings if tied else _name_of(model, head_module, "LM head")
    parent = prefix.rpartition(".")[0]
    norms = {
        f"{parent}.{name}"
        for name, module in model.get_submodule(parent).named_children()
        if "norm" in type(module).__name__.lower() and "emb" not in name
    }
    final_norm = tuple(name for name in shapes if name.rpartition(".")[0] in norms)
    return ModelLayout(shapes, layers, embeddings, head, final_norm, _name_of(model, head_module, "LM head"))


def _refuse_masked(config: Any) -> None:
    """Raise where each token sees the whole text, as in BERT, which transformers takes for a decoder with a warning."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    masked = set(MODEL_FOR_MASKED_LM_MAPPING_NAMES.values()).intersection(config.architectures or ())
    if masked and not getattr(config, "is_decoder", False):
        raise BaseModelError(
            f"{min(masked)} fills gaps in a text that it sees whole, and writes none",
            "the toolkit knows decoders of the Llama, Mistral, Qwen and Gemma kind",
        )


def _decoder_layers(model: Any) -> tuple[str, int]:
    """Name and length of the list of decoder layers: beside the text embeddings, where a wrapper has several lists."""
    from torch.nn import ModuleList

    depth = model.config.get_text_config().num_hidden_layers
    found = [name for name, module in model.named_modules() if isinstance(module, ModuleList) and len(module) == depth]
    if not found:
        raise BaseModelError(
            f"{type(model).__name__} has no list of {depth} decoder layers",
            "the toolkit knows decoders of the Llama, Mistral, Qwen and Gemma kind",
        )
    beside = _name_of(model, model.get_input_embeddings(), "input embeddings").rsplit(".", 2)[0]
    return min(found, key=lambda name: (not name.startswith(f"{beside}."), len(name))), depth


def _name_of(model: Any, wanted: Any, part: str) -> str:
    for name, module in model.named_modules():
        if module is wanted:
            return f"{name}.weight"
    raise BaseModelError(f"{type(model).__name__} has no {part}", "use a causal language model")
