"""One stream of whole numbers, entropy-coded by pcodec."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from pcodec import ChunkConfig, DeltaSpec, ModeSpec, standalone

# Level 4 is 13% larger, level 8 0.2%, level 12 no smaller, and all take the same time here; the numbers have no order
# that pcodec's other modes could use.
_PCODEC = ChunkConfig(compression_level=10, mode_spec=ModeSpec.classic(), delta_spec=DeltaSpec.no_op())


def compress(values: NDArray[Any]) -> bytes:
    """These unsigned numbers, 1-D and contiguous, as a standalone pcodec file; nothing for nothing."""
    return bytes(standalone.simple_compress(values, _PCODEC)) if len(values) else b""


def decompress_into(stream: bytes, target: NDArray[Any]) -> int:
    """Decode a stream to the start of `target`; how many numbers, or -1 if it is not sound or does not fit."""
    try:
        progress = standalone.simple_decompress_into(stream, target)
    except BaseException as error:  # a panic in Rust is no Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
            raise
        return -1
    return int(progress.n_processed) if progress.finished else -1
