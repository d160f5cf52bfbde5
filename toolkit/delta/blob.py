"""The bytes of one tensor inside a delta: head, level streams, chunk table and streams, as FORMAT.md lays them out."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.delta.prediction import MAX_RANK, Factors
from toolkit.delta.streams import compress, decompress_into
from toolkit.errors import DamagedDeltaError

HEAD = struct.Struct("<IIIIIHHhHHHIIIII")
ROW_LEVELS, COLUMN_LEVELS, RAW, PREDICTED = 1, 2, 4, 8  # flags
UNCHANGED = -128  # the level of a row or column of which no weight changed
MAX_CHUNK_WEIGHTS = 1 << 24  # a reader refuses larger chunks, so that no file can ask for much memory
MAX_GROUPS = 255
MAX_LEVELS = 1 << 26  # numbers in one stream of levels or factors; the largest vocabulary at the highest rank has half

Levels = NDArray[np.int8]


@dataclass(frozen=True)
class BlobHead:
    """Everything about one coded tensor but its streams.

    A tensor of `weights` weights is seen as rows of `columns` weights, the last row perhaps shorter.
    """

    columns: int
    rows_per_chunk: int
    flags: int
    first_context: int
    groups: NDArray[np.uint8]  # group of each context from `first_context` on
    row_levels: Levels | None  # (rows,)
    column_levels: Levels | None  # (columns,)
    factors: Factors | None  # of the prediction
    base_crcs: NDArray[np.uint32]  # (chunks,) of the base weights
    merged_crcs: NDArray[np.uint32]  # (chunks,) of the merged weights
    payload_crcs: NDArray[np.uint32]  # (chunks,) of the streams
    stream_bytes: NDArray[np.uint32]  # (chunks, groups)

    @property
    def raw(self) -> bool:
        return bool(self.flags & RAW)

    @property
    def n_groups(self) -> int:
        return int(self.stream_bytes.shape[1])

    @property
    def n_chunks(self) -> int:
        return int(self.stream_bytes.shape[0])

    @property
    def chunk_weights(self) -> int:
        return self.columns * self.rows_per_chunk

    def mode(self) -> str:
        """A word for people: raw, or what the differences are grouped by."""
        if self.raw:
            return "raw"
        names = ["exponent"]
        names += [name for bit, name in ((ROW_LEVELS, "rows"), (COLUMN_LEVELS, "columns")) if self.flags & bit]
        return "+".join(names) + (f", rank {self.factors.rank}" if self.factors else "")


def _pack(values: NDArray[Any] | None) -> bytes:
    """Small signed numbers as one pcodec stream, zigzag-coded."""
    if values is None:
        return b""
    wide = values.astype(np.int16).reshape(-1)
    return compress(((wide << 1) ^ (wide >> 15)).view(np.uint16))


def pack_head(head: BlobHead) -> bytes:
    factors = head.factors
    left, right, scales = (factors.left.T, factors.right, factors.scales) if factors else (None, None, None)
    streams = [_pack(values) for values in (head.row_levels, head.column_levels, left, right, scales)]
    table = np.empty((head.n_chunks, 3 + head.n_groups), "<u4")
    table[:, 0], table[:, 1], table[:, 2] = head.base_crcs, head.merged_crcs, head.payload_crcs
    table[:, 3:] = head.stream_bytes
    body = head.groups.tobytes() + b"".join(streams) + table.tobytes()
    fields = HEAD.pack(
        0, HEAD.size + len(body), head.columns, head.rows_per_chunk, head.n_chunks, head.n_groups,
        head.flags, head.first_context, len(head.groups), factors.rank if factors else 0, 0, *map(len, streams),
    )  # fmt: skip
    content = fields[4:] + body
    return zlib.crc32(content).to_bytes(4, "little") + content


def unpack_head(blob: bytes | memoryview, weights: int, name: str) -> tuple[BlobHead, int]:
    """The checked head at the start of a tensor's bytes, and its size.

    Args:
        blob: at least the head; normally the whole tensor or its first part as given by `head_bytes`.
        weights: weights of the merged tensor, from the manifest.

    Raises:
        DamagedDeltaError: if a checksum or any field contradicts the rest.
    """

    def check(sound: bool, what: str) -> None:
        if not sound:
            raise DamagedDeltaError(f"the delta is damaged: {what} of {name}", "download it again")

    check(len(blob) >= HEAD.size, "the head is cut short")
    (
        crc, size, columns, rows_per_chunk, n_chunks, n_groups, flags, first, n_contexts, rank, reserved, *stream_sizes
    ) = HEAD.unpack_from(blob)  # fmt: skip
    check(HEAD.size <= size <= len(blob), "the head is cut short")
    check(zlib.crc32(blob[4:size]) == crc, "the checksum does not fit the head")
    rows = -(-weights // columns) if columns else 0
    check(columns > 0 and rows_per_chunk > 0, "no chunk size")
    check(columns * rows_per_chunk <= MAX_CHUNK_WEIGHTS, "too large a chunk size")
    check(n_chunks == -(-rows // rows_per_chunk), "the number of chunks does not fit the shape")
    check(flags <= 15 and 1 <= n_groups <= MAX_GROUPS and reserved == 0, "the flags or the number of groups")
    check(not flags & ~RAW or weights % columns == 0, "a last row that is cut short")
    raw, predicted = bool(flags & RAW), bool(flags & PREDICTED)
    check(not raw or (flags == RAW and n_groups == 1 and n_contexts == 0), "the raw mode")
    check(raw or n_contexts > 0, "no context table")
    check(max(rows, columns) * max(rank, 1) <= MAX_LEVELS, "too many rows")
    check(1 <= rank <= MAX_RANK if predicted else rank == 0, "the rank of the prediction")
    expected = HEAD.size + n_contexts + sum(stream_sizes) + 4 * n_chunks * (3 + n_groups)
    check(size == expected, "the size of the head")
    position = HEAD.size
    groups = np.frombuffer(blob, np.uint8, n_contexts, position)
    check(n_contexts == 0 or int(groups.max()) < n_groups, "the context table")
    position += n_contexts
    # Which streams there must be, and how many numbers each holds.
    counts = [
        rows if flags & ROW_LEVELS else 0, columns if flags & COLUMN_LEVELS else 0,
        rows * rank, columns * rank, rows if predicted else 0,
    ]  # fmt: skip
    parts: list[NDArray[np.int16] | None] = []
    for number, (count, stream_size) in enumerate(zip(counts, stream_sizes, strict=True)):
        check(bool(count) == bool(stream_size), "the levels or factors")
        limits = (-126, 100) if number == 4 else (-127 if number > 1 else -128, 127)
        parts.append(_unpack(bytes(blob[position : position + stream_size]), count, limits, check) if count else None)
        position += stream_size
    row_levels, column_levels, left, right, scales = parts
    factors = None
    if left is not None and right is not None and scales is not None:
        left_rows = np.ascontiguousarray(left.reshape(rank, rows).T.astype(np.int8))
        factors = Factors(left_rows, right.reshape(rank, columns).astype(np.int8), scales)
    table = np.frombuffer(blob, "<u4", n_chunks * (3 + n_groups), position).reshape(n_chunks, 3 + n_groups)
    head = BlobHead(
        columns, rows_per_chunk, flags, first, groups.copy(),
        None if row_levels is None else row_levels.astype(np.int8),
        None if column_levels is None else column_levels.astype(np.int8), factors,
        table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy(), table[:, 3:].copy(),
    )  # fmt: skip
    return head, size


def _unpack(
    stream: bytes, count: int, limits: tuple[int, int], check: Callable[[bool, str], None]
) -> NDArray[np.int16]:
    packed = np.empty(count, np.uint16)
    check(decompress_into(stream, packed) == count, "a stream of levels or factors")
    values = ((packed >> 1) ^ (~(packed & 1) + np.uint16(1))).view(np.int16)
    check(limits[0] <= int(values.min()) and int(values.max()) <= limits[1], "the levels or factors")
    return values
