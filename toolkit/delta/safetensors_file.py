"""The header of one safetensors file, parsed strictly and without torch: every name, dtype, shape and byte range."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.errors import BaseModelError, CogsymError, DamagedDeltaError

ITEM_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
    "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4,
    "U64": 8, "I64": 8, "F64": 8, "C64": 8,
}  # fmt: skip
MAX_HEADER_BYTES = 100_000_000  # what the safetensors library itself accepts
MAX_DELTA_HEADER_BYTES = 16_000_000  # a delta of 100,000 tensors; keeps a hostile file from asking for more


@dataclass(frozen=True, slots=True)
class TensorSpan:
    """Where the bytes of one tensor lie."""

    name: str
    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int  # absolute, in bytes
    size_bytes: int

    @property
    def weights(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class SafetensorsFile:
    """One parsed header: `tensors` in the order in which they lie in the file."""

    path: Path
    header: bytes = field(repr=False)
    metadata: dict[str, str]
    tensors: tuple[TensorSpan, ...]

    @property
    def data_start(self) -> int:
        return 8 + len(self.header)


def read_header(path: Path, *, delta: bool = False) -> SafetensorsFile:
    """The checked header of a safetensors file.

    Args:
        delta: whether the file is a delta, which decides the kind of error and the largest header accepted.

    Raises:
        DamagedDeltaError, BaseModelError: if the file is missing, truncated, or breaks the safetensors rules.
    """
    error: type[CogsymError] = DamagedDeltaError if delta else BaseModelError
    hint = "download it again" if delta else "download the checkpoint again, in safetensors format"
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            prefix = file.read(8)
            length = int.from_bytes(prefix, "little")
            limit = MAX_DELTA_HEADER_BYTES if delta else MAX_HEADER_BYTES
            if len(prefix) < 8 or length < 2 or length > min(limit, size - 8):
                raise error(f"{path.name} is not a whole safetensors file ({size} bytes)", hint)
            header = file.read(length)
    except OSError as cause:
        raise error(f"{path} cannot be read: {cause.strerror or cause}", hint) from cause
    try:
        metadata, spans = _parse(header, path, size - 8 - length)
    except (ValueError, RecursionError) as cause:
        raise error(f"the header of {path.name} is damaged: {cause}", hint) from cause
    return SafetensorsFile(path, header, metadata, spans)


def _parse(header: bytes, path: Path, data_bytes: int) -> tuple[dict[str, str], tuple[TensorSpan, ...]]:
    entries = json.loads(header.decode("utf-8"), object_pairs_hook=_unique)
    if not isinstance(entries, dict):
        raise ValueError("it is not a JSON object")
    metadata = entries.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata is not a mapping of text to text")
    spans = [_span(name, entry, path, 8 + len(header)) for name, entry in entries.items()]
    spans.sort(key=lambda span: (span.start, span.size_bytes))
    position = 8 + len(header)
    for span in spans:
        if span.start != position:
            raise ValueError(f"the bytes of {span.name} overlap others or leave a hole")
        position += span.size_bytes
    if position != 8 + len(header) + data_bytes:
        raise ValueError(f"it describes {position - 8 - len(header)} bytes of data, the file holds {data_bytes}")
    return metadata, tuple(spans)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice")
    return result


def _span(name: str, entry: Any, path: Path, data_start: int) -> TensorSpan:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of {name!r} lacks dtype, shape or data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if dtype not in ITEM_BYTES:
        raise ValueError(f"{name!r} has the unknown dtype {dtype!r}")
    numbers = [*shape, *offsets] if isinstance(shape, list) and isinstance(offsets, list) else [None]
    if any(type(number) is not int or not 0 <= number < 1 << 62 for number in numbers) or len(offsets) != 2:
        raise ValueError(f"{name!r} has a shape or offsets that are not whole numbers")
    size = offsets[1] - offsets[0]
    if size != math.prod(shape) * ITEM_BYTES[dtype]:
        raise ValueError(f"{name!r} has {size} bytes, its shape {shape} of {dtype} needs another number")
    return TensorSpan(name, path, dtype, tuple(shape), data_start + offsets[0], size)


def build_header(entries: list[tuple[str, str, tuple[int, ...], int]], metadata: dict[str, str]) -> bytes:
    """The header, with its length, for tensors `(name, dtype, shape, size_bytes)` that follow in this order."""
    table: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    position = 0
    for name, dtype, shape, size_bytes in entries:
        table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, position + size_bytes]}
        position += size_bytes
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)  # tensor data starts at a multiple of 8, as the format asks
    return len(text).to_bytes(8, "little") + text
