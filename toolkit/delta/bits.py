"""How the dtypes that we code lay out a weight: integer view, exponent field, and exact conversion to float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[Any]  # bit patterns of weights: uint16 or uint32


@dataclass(frozen=True)
class BitLayout:
    """The bit pattern of one floating-point dtype."""

    dtype: str
    unsigned: type
    signed: type
    exponent_shift: int  # mantissa bits, below the exponent
    exponent_mask: int

    @property
    def width(self) -> int:
        """Bytes per weight."""
        return int(np.dtype(self.unsigned).itemsize)


LAYOUTS = {
    "BF16": BitLayout("BF16", np.uint16, np.int16, 7, 0xFF),
    "F16": BitLayout("F16", np.uint16, np.int16, 10, 0x1F),
    "F32": BitLayout("F32", np.uint32, np.int32, 23, 0xFF),
}


def to_float32(bits: Bits, layout: BitLayout) -> NDArray[np.float32]:
    """The values of these bit patterns; exact, since float32 holds every BF16 and F16 value."""
    if layout.dtype == "BF16":
        return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if layout.dtype == "F16":
        return bits.view(np.float16).astype(np.float32)
    return bits.view(np.float32)
