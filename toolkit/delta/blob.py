"""The bytes of one tensor inside a delta: head, level streams, chunk table and streams, as FORMAT.md lays them out."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pcodec import standalone

from toolkit.errors import DamagedDeltaError

HEAD = struct.Struct("<IIIIIHHhHII")
ROW_LEVELS, COLUMN_LEVELS, RAW = 1, 2, 4  # flags
UNCHANGED = -128  # the level of a row or column of which no weight changed
MAX_CHUNK_WEIGHTS = 1 << 24  # a reader refuses larger chunks, so that no file can ask for much memory
MAX_GROUPS = 255

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
        """A word for people: raw, exponent, rows, columns, rows+columns."""
        if self.raw:
            return "raw"
        names = [name for bit, name in ((ROW_LEVELS, "rows"), (COLUMN_LEVELS, "columns")) if self.flags & bit]
        return "+".join(names) or "exponent"


def pack_levels(levels: Levels | None) -> bytes:
    if levels is None:
        return b""
    from toolkit.delta.codec import PCODEC

    return bytes(standalone.simple_compress((levels.astype(np.int16) + 128).astype(np.uint16), PCODEC))


def pack_head(head: BlobHead) -> bytes:
    rows, columns = pack_levels(head.row_levels), pack_levels(head.column_levels)
    table = np.empty((head.n_chunks, 3 + head.n_groups), "<u4")
    table[:, 0], table[:, 1], table[:, 2] = head.base_crcs, head.merged_crcs, head.payload_crcs
    table[:, 3:] = head.stream_bytes
    body = head.groups.tobytes() + rows + columns + table.tobytes()
    fields = HEAD.pack(
        0, HEAD.size + len(body), head.columns, head.rows_per_chunk, head.n_chunks, head.n_groups,
        head.flags, head.first_context, len(head.groups), len(rows), len(columns),
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
    crc, size, columns, rows_per_chunk, n_chunks, n_groups, flags, first, n_contexts, row_bytes, column_bytes = (
        HEAD.unpack_from(blob)
    )
    check(HEAD.size <= size <= len(blob), "the head is cut short")
    check(zlib.crc32(blob[4:size]) == crc, "the checksum does not fit the head")
    rows = -(-weights // columns) if columns else 0
    check(columns > 0 and rows_per_chunk > 0, "no chunk size")
    check(columns * rows_per_chunk <= MAX_CHUNK_WEIGHTS, "too large a chunk size")
    check(n_chunks == -(-rows // rows_per_chunk), "the number of chunks does not fit the shape")
    check(flags <= 7 and 1 <= n_groups <= MAX_GROUPS, "the flags or the number of groups")
    raw = bool(flags & RAW)
    check(not flags & (ROW_LEVELS | COLUMN_LEVELS) or weights % columns == 0, "a last row that is cut short")
    check(not raw or (flags == RAW and n_groups == 1 and n_contexts == 0), "the raw mode")
    check(raw or n_contexts > 0, "no context table")
    expected = HEAD.size + n_contexts + row_bytes + column_bytes + 4 * n_chunks * (3 + n_groups)
    check(size == expected, "the size of the head")
    check(bool(row_bytes) == bool(flags & ROW_LEVELS), "the row levels")
    check(bool(column_bytes) == bool(flags & COLUMN_LEVELS), "the column levels")
    position = HEAD.size
    groups = np.frombuffer(blob, np.uint8, n_contexts, position)
    check(n_contexts == 0 or int(groups.max()) < n_groups, "the context table")
    position += n_contexts
    row_levels = _unpack_levels(bytes(blob[position : position + row_bytes]), rows, check)
    position += row_bytes
    column_levels = _unpack_levels(bytes(blob[position : position + column_bytes]), columns, check)
    position += column_bytes
    table = np.frombuffer(blob, "<u4", n_chunks * (3 + n_groups), position).reshape(n_chunks, 3 + n_groups)
    head = BlobHead(
        columns, rows_per_chunk, flags, first, groups.copy(), row_levels, column_levels,
        table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy(), table[:, 3:].copy(),
    )  # fmt: skip
    return head, size


def _unpack_levels(stream: bytes, count: int, check) -> Levels | None:  # type: ignore[no-untyped-def]
    if not stream:
        return None
    levels = np.empty(count, np.uint16)
    from toolkit.delta.codec import decompress_into

    check(decompress_into(stream, levels) == count and (count == 0 or int(levels.max()) < 256), "a level stream")
    return (levels.astype(np.int16) - 128).astype(np.int8)
