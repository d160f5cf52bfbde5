"""Frozen layers in 4 bits (NF4, Dettmers et al. 2023, through bitsandbytes), so that a smaller card is enough.

Only linear layers of the decoder in which nothing trains are quantized. What trains starts from the base's exact
weights, and a delta is always taken against the base itself; the model merely learns beside slightly rounded layers.
"""

from __future__ import annotations

from typing import Any

import torch

from toolkit.records import SelectionInfo
from toolkit.selection import layout_of


def quantize_frozen(model: Any, selection: SelectionInfo, device: torch.device) -> int:
    """Replace the frozen linear layers by 4-bit ones on this device; returns how many.

    One layer at a time, so a card never holds them in more than 4 bits.
    """
    selected = set(selection.parameters)
    in_layers = {name for names in layout_of(model).layers for name in names}
    count = 0
    for path, module in list(model.named_modules()):
        names = {f"{path}.{name}" for name, _ in module.named_parameters(recurse=False)}
        if isinstance(module, torch.nn.Linear) and names <= in_layers and not names & selected:
            parent, _, child = path.rpartition(".")
            setattr(model.get_submodule(parent), child, _in_4_bits(module, device))
            count += 1
    return count


def _in_4_bits(module: torch.nn.Linear, device: torch.device) -> torch.nn.Module:
    from bitsandbytes.nn import Linear4bit, Params4bit

    quantized = Linear4bit(
        module.in_features,
        module.out_features,
        bias=module.bias is not None,
        compute_dtype=module.weight.dtype,
        quant_type="nf4",
        device="meta",
    )
    quantized.weight = Params4bit(module.weight.data, requires_grad=False, quant_type="nf4", module=quantized)
    quantized.bias = module.bias
    return quantized.to(device)  # moving it is what quantizes it
