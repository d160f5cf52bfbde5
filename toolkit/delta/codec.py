"""The codec of one chunk: bit-pattern differences, split into groups by context, each group entropy-coded by pcodec."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit.delta import kernel
from toolkit.delta.bits import BitLayout, Bits
from toolkit.delta.blob import UNCHANGED, BlobHead, Levels
from toolkit.delta.prediction import predict
from toolkit.delta.scratch import scratch
from toolkit.delta.streams import compress, decompress_into
from toolkit.errors import DamagedDeltaError


def changed_part(levels: Levels | None) -> NDArray[np.intp] | None:
    """Indices of the rows or columns that changed; None where all of them did."""
    if levels is None:
        return None
    marks = levels != UNCHANGED
    return None if marks.all() else np.flatnonzero(marks)


def encode_chunk(base: Bits, new: Bits, head: BlobHead, rows: Levels | None, layout: BitLayout) -> list[bytes]:
    """One pcodec stream per group for a chunk.

    Args:
        base: bit patterns to code against, (rows, columns): the base's, or the predicted ones.
        new: the same shape and dtype.
        head: the tensor's column levels and group table; its chunk table is not looked at.
        rows: this chunk's row levels.
    """
    columns = head.column_levels
    picked_rows, picked_columns = changed_part(rows), changed_part(columns)
    base, new = (np.ascontiguousarray(_pick(bits, picked_rows, picked_columns)) for bits in (base, new))
    rows = rows if rows is None or picked_rows is None else rows[picked_rows]
    columns = columns if columns is None or picked_columns is None else columns[picked_columns]
    values, counts = kernel.split(base, new, rows, columns, head.first_context, head.groups, head.n_groups, layout)
    streams, position = [], 0
    for count in counts:
        part = values[position : position + count]
        streams.append(compress(part))
        position += int(count)
    return streams


def decode_chunk(target: Bits, payload: memoryview, head: BlobHead, chunk: int, layout: BitLayout, name: str) -> None:
    """Turn base into merged bit patterns in place.

    Args:
        target: the base's bit patterns of this chunk, (weights,), contiguous and writable.
        payload: the chunk's streams, their checksum already checked.

    Raises:
        DamagedDeltaError: if the streams do not hold exactly this chunk's differences.
    """
    if head.raw:
        target.view(np.uint8)[:] = np.frombuffer(payload, np.uint8)
        return
    rows, columns, matrix = None, head.column_levels, target.reshape(1, -1)
    if head.flags:
        matrix = target.reshape(-1, head.columns)
    if head.row_levels is not None:
        start = chunk * head.rows_per_chunk
        rows = head.row_levels[start : start + len(matrix)]
    if head.factors is not None:
        start = chunk * head.rows_per_chunk
        predict(matrix, head.factors.rows(start, start + len(matrix)), layout)
    picked_rows, picked_columns = changed_part(rows), changed_part(columns)
    part = np.ascontiguousarray(_pick(matrix, picked_rows, picked_columns))
    rows = rows if rows is None or picked_rows is None else rows[picked_rows]
    columns = columns if columns is None or picked_columns is None else columns[picked_columns]
    values = scratch("values", kernel.join_room(part.size), layout.unsigned)
    counts, position, offset = np.zeros(head.n_groups, np.int64), 0, 0
    for group, size in enumerate(head.stream_bytes[chunk].tolist()):
        if size:
            count = decompress_into(bytes(payload[offset : offset + size]), values[position : part.size])
            if count < 0:
                raise _damaged(name, chunk)
            counts[group] = count
            position += count
            offset += size
    if position != part.size or not kernel.join(
        part, values, counts, rows, columns, head.first_context, head.groups, layout
    ):
        raise _damaged(name, chunk)
    if not np.shares_memory(part, target):
        _place(matrix, part, picked_rows, picked_columns)


def _damaged(name: str, chunk: int) -> DamagedDeltaError:
    return DamagedDeltaError(
        f"the delta is damaged: chunk {chunk} of {name} does not decode to its weights", "download it again"
    )


def _pick(matrix: Bits, rows: NDArray[np.intp] | None, columns: NDArray[np.intp] | None) -> Bits:
    matrix = matrix if rows is None else matrix[rows]
    return matrix if columns is None else matrix[:, columns]


def _place(matrix: Bits, part: Bits, rows: NDArray[np.intp] | None, columns: NDArray[np.intp] | None) -> None:
    if columns is None:
        matrix[rows] = part
    elif rows is None:
        matrix[:, columns] = part
    else:
        matrix[np.ix_(rows, columns)] = part
