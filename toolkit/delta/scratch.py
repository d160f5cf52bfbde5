"""Memory that is used again: every thread keeps one buffer for each purpose, as large as was needed so far."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

_buffers = threading.local()


def scratch(purpose: str, size: int, dtype: type) -> NDArray[Any]:
    """An array of `size` numbers with undefined values, this thread's until it asks for this purpose again."""
    size_bytes = size * np.dtype(dtype).itemsize
    buffer: NDArray[np.uint8] | None = getattr(_buffers, purpose, None)
    if buffer is None or len(buffer) < size_bytes:
        buffer = np.empty(size_bytes, np.uint8)
        setattr(_buffers, purpose, buffer)
    return buffer[:size_bytes].view(dtype)
