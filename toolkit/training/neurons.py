"""Training some neurons of feed-forward blocks (arXiv 2510.13580): a subnetwork instead of whole matrices.

Shapes: B sentences, T tokens, D width of the model, I neurons of a block, K of them that train.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch.nn.functional import linear

from toolkit.errors import BaseModelError
from toolkit.records import SelectionInfo
from toolkit.selection import layout_of
from toolkit.training.tensors import train_tensors
from toolkit.training.trained import TrainedTensor, in_base_dtype

_PARTS = ("gate_proj", "up_proj", "down_proj", "act_fn")


class NeuronMLP(Module):
    """A gated feed-forward block, frozen except for some of its neurons.

    The frozen matrices are shared with the block that this replaces and stay as they are. The neurons that train live
    in parameters of their own, so gradients and optimiser state are no larger than these.
    """

    def __init__(self, frozen: Any, neurons: Sequence[int], dtype: torch.dtype) -> None:
        super().__init__()
        # The same names as in the block that this replaces, so that every tensor keeps its name in the model.
        self.gate_proj, self.up_proj, self.down_proj = frozen.gate_proj, frozen.up_proj, frozen.down_proj
        self.act_fn = frozen.act_fn
        self.neurons: Tensor
        device = frozen.gate_proj.weight.device
        self.register_buffer("neurons", torch.tensor(neurons, device=device), persistent=False)  # (K,)
        self.gate_rows = Parameter(frozen.gate_proj.weight.data[self.neurons].to(dtype))  # (K, D)
        self.up_rows = Parameter(frozen.up_proj.weight.data[self.neurons].to(dtype))  # (K, D)
        self.down_columns = Parameter(frozen.down_proj.weight.data[:, self.neurons].to(dtype))  # (D, K)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, D) -> (B, T, D)
        hidden = self.act_fn(self.gate_proj(x)) * self.up_proj(x)  # (B, T, I)
        hidden.index_fill_(-1, self.neurons, 0.0)  # in place: the product is not needed for its own gradient
        gate = linear(x, self.gate_rows, self._some(self.gate_proj.bias))  # (B, T, K)
        up = linear(x, self.up_rows, self._some(self.up_proj.bias))
        out = self.down_proj(hidden)
        return out + linear(self.act_fn(gate) * up, self.down_columns).to(out.dtype)

    def _some(self, bias: Tensor | None) -> Tensor | None:
        return None if bias is None else bias[self.neurons]


def train_neurons(model: Any, selection: SelectionInfo, dtype: torch.dtype) -> tuple[TrainedTensor, ...]:
    """Let the selected neurons train, kept in this dtype, and whatever else the selection names as whole tensors.

    Raises:
        BaseModelError: if a layer has no feed-forward block with gate, up and down matrices of their own.
    """
    layout = layout_of(model)
    partial: list[TrainedTensor] = []
    for layer, neurons in (selection.neurons or {}).items():
        if neurons:
            partial += _train_block(model, layer, layout.layers[layer], neurons, dtype)
    taken = {tensor.name for tensor in partial}
    whole = [name for name in selection.parameters if name not in taken]
    return (*partial, *train_tensors(model, whole, dtype))


def _train_block(
    model: Any, layer: int, names: Sequence[str], neurons: Sequence[int], dtype: torch.dtype
) -> list[TrainedTensor]:
    parent, child, frozen = _find_block(model, layer, names)
    _check_neurons(layer, neurons, frozen.gate_proj.out_features)
    block = NeuronMLP(frozen, neurons, dtype)
    _check_same(layer, frozen, block)
    setattr(model.get_submodule(parent), child, block)

    def rows(name: str, parameter: Parameter) -> TrainedTensor:
        return TrainedTensor(f"{parent}.{child}.{name}.weight", (parameter,), _replace(0, neurons, parameter))

    columns = TrainedTensor(
        f"{parent}.{child}.down_proj.weight", (block.down_columns,), _replace(1, neurons, block.down_columns)
    )
    return [rows("gate_proj", block.gate_rows), rows("up_proj", block.up_rows), columns]


def _replace(dim: int, neurons: Sequence[int], parameter: Parameter) -> Callable[[Tensor], Tensor]:
    """A merge that puts trained rows (dim 0) or columns (dim 1) into the base's tensor."""
    index = torch.tensor(neurons)

    def merge(start: Tensor) -> Tensor:
        return start.index_copy(dim, index, in_base_dtype(start.index_select(dim, index), parameter))

    return merge


def _find_block(model: Any, layer: int, names: Sequence[str]) -> tuple[str, str, Any]:
    """Parent's name, own name, and the feed-forward block itself, of a decoder layer with these parameter names."""
    for path in dict.fromkeys(name.rpartition(".")[0].rpartition(".")[0] for name in names):
        block = model.get_submodule(path)
        if all(hasattr(block, part) for part in _PARTS):
            parent, _, child = path.rpartition(".")
            return parent, child, block
    raise BaseModelError(
        f"layer {layer} of {type(model).__name__} has no feed-forward block with gate_proj, up_proj and down_proj",
        "train whole layers of this base, e.g. --select cogsym:25%",
    )


def _check_neurons(layer: int, neurons: Sequence[int], n_neurons: int) -> None:
    wrong = [neuron for neuron in neurons if not 0 <= neuron < n_neurons]
    if wrong or len(set(neurons)) < len(neurons):
        seen = f"neuron {wrong[0]}" if wrong else "a neuron twice"
        raise BaseModelError(
            f"the selection names {seen} in layer {layer}, which has neurons 0 to {n_neurons - 1}",
            "make the selection for this base",
        )


def _check_same(layer: int, frozen: Any, block: NeuronMLP) -> None:
    """Raise unless both blocks compute the same before training: other architectures gate in other ways."""
    weight = frozen.gate_proj.weight
    x = torch.linspace(-1, 1, weight.shape[1], device=weight.device, dtype=weight.dtype)[None, None]
    with torch.no_grad(), torch.autocast(weight.device.type, torch.bfloat16, enabled=weight.dtype == torch.bfloat16):
        expected, seen = frozen(x), block(x)
    scale = expected.abs().max().clamp(min=torch.finfo(torch.float32).tiny)
    if (expected - seen).abs().max() > 0.05 * scale:
        raise BaseModelError(
            f"layer {layer} combines gate, up and down in a way that training of neurons does not know",
            "train whole layers of this base, e.g. --select cogsym:25%",
        )
