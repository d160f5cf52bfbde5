"""The live weights of a loaded model as the base's bit patterns, exactly, on any device, upcast or not."""

from __future__ import annotations

import numpy as np
import torch

from toolkit.delta.bits import LAYOUTS, Bits, to_float32
from toolkit.errors import WrongBaseError

TORCH_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}


def numpy_bits(tensor: torch.Tensor) -> Bits:
    """The bit patterns of a flat CPU tensor, sharing its memory."""
    if tensor.element_size() == 2:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.view(torch.int32).numpy().view(np.uint32)


def base_bits(live: torch.Tensor, dtype: str, name: str) -> Bits:
    """Part of a live tensor in the base's dtype, as bit patterns in memory of their own.

    Args:
        live: flat, on any device, in the base's dtype or in float32.
        dtype: the base's dtype, as safetensors names it.

    Raises:
        WrongBaseError: if a float32 value is none of the base's dtype, so that it is not the base's.
    """
    bits = numpy_bits(live.detach().to("cpu", copy=True))
    if live.dtype == TORCH_DTYPES[dtype]:
        return bits
    narrow = (bits >> np.uint32(16)).astype(np.uint16) if dtype == "BF16" else _to_float16(bits)
    if not np.array_equal(to_float32(narrow, LAYOUTS[dtype]).view(np.uint32), bits):
        raise WrongBaseError(
            f"the live {name} holds float32 values that are no {dtype} values, so it is not the base's",
            "load the unmodified base, in its own dtype or in float32",
        )
    return narrow


def _to_float16(bits: Bits) -> Bits:
    with np.errstate(all="ignore"):
        return bits.view(np.float32).astype(np.float16).view(np.uint16)


def write_bits(live: torch.Tensor, bits: Bits, dtype: str) -> None:
    """Put bit patterns of the base's dtype into part of a live tensor, flat, upcasting exactly where it is float32.

    On a GPU this only queues the copy, through pinned memory that torch keeps until it is done, on the current stream.
    """
    if live.dtype == TORCH_DTYPES[dtype]:
        source = torch.from_numpy(bits.view(np.int16 if bits.itemsize == 2 else np.int32)).view(live.dtype)
    else:
        source = torch.from_numpy(to_float32(bits, LAYOUTS[dtype]))
    if live.is_cuda:
        live.copy_(source.pin_memory(), non_blocking=True)
    else:
        live.copy_(source)
