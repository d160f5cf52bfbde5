"""A second reader of deltas, written from toolkit/delta/FORMAT.md alone: slow, plain, and without the toolkit's code.

It exists to show that the page says everything that a reader needs. It decodes one weight after the other.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from pcodec import standalone

WIDTH = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "BF16": 2, "F16": 2, "I8": 1, "U8": 1, "BOOL": 1}  # bytes
EXPONENT = {"BF16": (7, 8), "F16": (10, 5), "F32": (23, 8)}  # first bit, bits
PREDICTED_EXPONENTS = {"BF16": (32, 254), "F16": (1, 30), "F32": (32, 254)}


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, tuple[str, tuple[int, ...], bytes]]]:
    """Metadata, and name -> dtype, shape, bytes."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        tensors[name] = (entry["dtype"], tuple(entry["shape"]), data[end + start : end + stop])
    return metadata, tensors


def fingerprint(tensors: dict[str, tuple[str, tuple[int, ...], bytes]]) -> str:
    lines = [
        f"{name}\t{dtype}\t{','.join(map(str, shape))}\t{hashlib.sha256(data).hexdigest()}\n"
        for name, (dtype, shape, data) in sorted(tensors.items())
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def merged(delta: Path, base: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Every tensor after merging."""
    metadata, blobs = read_safetensors(delta)
    assert metadata["format"] == "cogsym-delta"
    assert metadata["format_version"].split(".")[0] == "1"
    raw = delta.read_bytes()
    header = raw[8 : 8 + int.from_bytes(raw[:8], "little")]
    declared = metadata["header_sha256"].encode()
    assert hashlib.sha256(header.replace(declared, b"0" * 64)).hexdigest().encode() == declared
    packed = blobs.pop("cogsym.manifest")[2]
    assert hashlib.sha256(packed).hexdigest() == metadata["manifest_sha256"]
    manifest = json.loads(zlib.decompress(packed))
    _, tensors = read_safetensors(base)
    assert fingerprint(tensors) == metadata["base_fingerprint"]
    for name, blob in blobs.items():
        tensors[name] = decode(blob[2], manifest["changed"][name], tensors.get(name))
    assert fingerprint(tensors) == metadata["merged_fingerprint"]
    return tensors


def decode(blob: bytes, facts: dict[str, Any], base: Any) -> tuple[str, tuple[int, ...], bytes]:
    """One merged tensor."""
    dtype, shape = facts["dtype"], tuple(facts["shape"])
    old = base_bytes(dtype, shape, base)
    fields = struct.unpack_from("<IIIIIHHhHHHIIIII", blob)
    crc, head_bytes, columns, rows_per_chunk, n_chunks, n_groups, flags, first, n_contexts, rank, _ = fields[:11]
    sizes = fields[11:]
    assert zlib.crc32(blob[4:head_bytes]) == crc
    at = 52
    table = blob[at : at + n_contexts]
    at += n_contexts
    streams = []
    for size in sizes:
        streams.append(unzigzag(standalone.simple_decompress(blob[at : at + size])) if size else None)
        at += size
    row_levels, column_levels, left, right, scales = streams
    chunks = np.frombuffer(blob, "<u4", n_chunks * (3 + n_groups), at).reshape(n_chunks, 3 + n_groups)
    at = head_bytes
    step = rows_per_chunk * columns * WIDTH[dtype]
    result = b""
    for number, (base_crc, merged_crc, payload_crc, *stream_sizes) in enumerate(chunks.tolist()):
        part = old[number * step : (number + 1) * step]
        payload = blob[at : at + sum(stream_sizes)]
        at += len(payload)
        assert zlib.crc32(part) == base_crc
        assert zlib.crc32(payload) == payload_crc
        if flags & 4:
            new = payload
        else:
            values, start = [], 0
            for size in stream_sizes:
                numbers = (
                    standalone.simple_decompress(payload[start : start + size]) if size else np.zeros(0, np.uint16)
                )
                values.append(iter(unzigzag(numbers).tolist()))
                start += size
            new = decode_chunk(
                part, dtype, columns, number * rows_per_chunk, table, first, row_levels, column_levels,
                (left, right, scales, rank), values,
            )  # fmt: skip
            assert all(next(stream, None) is None for stream in values)
        assert zlib.crc32(new) == merged_crc
        result += new
    assert at == len(blob)
    assert hashlib.sha256(result).hexdigest() == facts["sha256"]
    return dtype, shape, result


def base_bytes(dtype: str, shape: tuple[int, ...], base: Any) -> bytes:
    """The base's bytes in the merged shape, zeros where it has no weight."""
    size = int(np.prod(shape)) * WIDTH[dtype]
    if base is None or len(base[1]) != len(shape) or base[1][1:] != shape[1:]:
        return bytes(size)
    return (base[2] + bytes(size))[:size]


def unzigzag(numbers: Any) -> np.ndarray:
    wide = np.asarray(numbers).astype(np.int64)
    return np.where(wide % 2, -(wide + 1) // 2, wide // 2)


def decode_chunk(
    part: bytes, dtype: str, columns: int, first_row: int, table: bytes, first: int, row_levels: Any,
    column_levels: Any, prediction: tuple[Any, Any, Any, int], values: list[Any],
) -> bytes:  # fmt: skip
    width = WIDTH[dtype]
    shift, bits = EXPONENT[dtype]
    left, right, scales, rank = prediction
    out = []
    for index in range(len(part) // width):
        row, column = first_row + index // columns, index % columns
        pattern = int.from_bytes(part[index * width : (index + 1) * width], "little")
        if rank:
            n_rows = len(scales)
            total = sum(int(left[k * n_rows + row]) * int(right[k * columns + column]) for k in range(rank))
            pattern = predicted(pattern, dtype, total, int(scales[row]))
        row_level = 0 if row_levels is None else int(row_levels[row])
        column_level = 0 if column_levels is None else int(column_levels[column])
        if -128 not in (row_level, column_level):
            exponent = pattern >> shift & (1 << bits) - 1
            context = 2 * exponent - row_level - column_level - first
            group = table[min(max(context, 0), len(table) - 1)]
            pattern = (pattern + next(values[group])) % (1 << 8 * width)
        out.append(pattern.to_bytes(width, "little"))
    return b"".join(out)


def predicted(pattern: int, dtype: str, total: int, scale: int) -> int:
    """The bit pattern of value + total * 2^scale, added in float32 and rounded to the dtype."""
    shift, bits = EXPONENT[dtype]
    low, high = PREDICTED_EXPONENTS[dtype]
    if not low <= (pattern >> shift & (1 << bits) - 1) <= high:
        return pattern
    if dtype == "F16":
        value = np.float32(np.uint16(pattern).view(np.float16))
    else:
        value = np.uint32(pattern << (16 if dtype == "BF16" else 0)).view(np.float32)
    moved = value + np.float32(total) * np.ldexp(np.float32(1), scale)
    if dtype == "F16":
        return int(moved.astype(np.float16).view(np.uint16))
    wide = int(moved.view(np.uint32))
    if dtype == "F32":
        return wide
    return (wide + (wide >> 16 & 1) + 0x7FFF) >> 16
