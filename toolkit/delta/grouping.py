"""The writer's choice for one tensor: row and column levels, and which contexts share a group.

All of it is decided on a sample of rows and stored, so a reader never has to repeat it, and another writer may decide
otherwise. Integer arithmetic throughout: every machine and every kernel chooses the same.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.delta import kernel
from toolkit.delta.bits import BitLayout, Bits
from toolkit.delta.blob import COLUMN_LEVELS, MAX_GROUPS, ROW_LEVELS, UNCHANGED, Levels

_EXACT = 32  # differences below this have their own bucket in the statistics, larger ones share eight per octave
ALL_FLAGS = (0, ROW_LEVELS, COLUMN_LEVELS, ROW_LEVELS | COLUMN_LEVELS)


@dataclass(frozen=True)
class Grouping:
    """How one tensor will be coded."""

    flags: int
    first_context: int
    groups: NDArray[np.uint8]
    anchor: int  # largest exponent in the sample: the reference of all levels
    column_levels: Levels | None

    @property
    def n_groups(self) -> int:
        return int(self.groups.max()) + 1


def magnitudes(base: Bits, new: Bits, anchor: int, layout: BitLayout) -> NDArray[np.int64]:
    """|new - base| in fixed point, (rows, columns): the difference of bit patterns, shifted by the exponent."""
    low, window, largest = scale_of(anchor, layout)
    difference = (new - base).view(layout.signed).astype(np.int64)
    shift, mask = layout.unsigned(layout.exponent_shift), layout.unsigned(layout.exponent_mask)
    exponent = ((base >> shift) & mask).astype(np.int64)
    return np.minimum(np.abs(difference), largest) << np.clip(exponent - low, 0, window)


def scale_of(anchor: int, layout: BitLayout) -> tuple[int, int, int]:
    """Lowest exponent that counts, how many above it, and the largest difference: 40 bits in all, so that sums fit."""
    window, bits = (16, 24) if layout.width == 4 else (28, 12)
    return anchor - window, window, (1 << bits) - 1


def half_octaves(sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """round(2 * log2(x)) of positive numbers, 0 for 0; in integers, so without any rounding error."""
    values = np.maximum(sums, 1)
    octave = np.frexp(values.astype(np.float64))[1].astype(np.int64) - 1
    octave -= (values >> np.minimum(octave, 62)) == 0  # the conversion may have rounded up to the next power of two
    mantissa = np.where(octave >= 20, values >> np.maximum(octave - 20, 0), values << np.maximum(20 - octave, 0))
    # 2^20 * 2^(1/4) and 2^20 * 2^(3/4): the midpoints between half octaves
    return 2 * octave + (mantissa >= 1246974) + (mantissa >= 1763487)


def row_levels(base: Bits, new: Bits, anchor: int, layout: BitLayout) -> Levels:
    """One level per row: half octaves of its mean magnitude; UNCHANGED where no weight differs."""
    sums, changed = kernel.row_sums(base, new, *scale_of(anchor, layout), layout)
    return finish_row_levels(sums, changed, base.shape[1])


def finish_row_levels(sums: NDArray[np.int64], changed: NDArray[np.bool_], columns: int) -> Levels:
    levels = np.clip(half_octaves(sums // columns) - 48, -127, 127)
    return np.where(changed, levels, UNCHANGED).astype(np.int8)


def _column_levels(size: NDArray[np.int64], changed: NDArray[np.bool_] | None) -> Levels:
    """One level per column, relative to the mean column: each row first brought to about the same magnitude."""
    octave = half_octaves(size.sum(axis=1) // size.shape[1]) // 2
    level_rows = (size << 12) >> octave[:, None]
    sums = level_rows.sum(axis=0)
    mean = max(int(sums.sum()) // len(sums), 1)
    levels = np.clip(half_octaves(sums) - int(half_octaves(np.array([mean]))[0]), -127, 127)
    levels = np.where(sums == 0, -16, levels)
    if changed is not None:
        levels = np.where(changed, levels, UNCHANGED)
    return levels.astype(np.int8)


def choose(
    base: Bits,
    new: Bits,
    *,
    total_rows: int,
    n_chunks: int,
    row_sparse: bool,
    changed_columns: NDArray[np.bool_] | None,
    layout: BitLayout,
    flags: tuple[int, ...] = ALL_FLAGS,
) -> tuple[float, Grouping]:
    """The cheapest of: exponent only, with row levels, with column levels, with both.

    Args:
        base: a sample of the tensor's rows, (rows, columns), only those in which something changed.
        new: the same rows after training.
        total_rows: rows of the tensor that changed.
        row_sparse: whether some rows did not change, which row levels alone can say.
        changed_columns: marks of the columns that changed, which column levels alone can say; None where all did.
        flags: the combinations to try.

    Returns:
        The estimated size of the whole tensor in bits, and the choice.
    """
    mask = layout.unsigned(layout.exponent_mask)
    exponent = ((base >> layout.unsigned(layout.exponent_shift)) & mask).astype(np.int16)
    anchor = int(exponent.max(initial=0))
    zigzag = _zigzag(base, new, layout)
    buckets, extra_bits = _buckets(zigzag)
    size = magnitudes(base, new, anchor, layout)
    rows = finish_row_levels(size.sum(axis=1), np.ones(len(size), bool), size.shape[1]).astype(np.int16)
    columns = _column_levels(size, changed_columns)
    scale = total_rows / max(len(base), 1)
    best: tuple[float, Grouping] | None = None
    for tried in flags:
        if (changed_columns is not None and not tried & COLUMN_LEVELS) or (row_sparse and not tried & ROW_LEVELS):
            continue
        context = 2 * exponent
        level_bits = 0.0
        if tried & ROW_LEVELS:
            context = context - rows[:, None]
            level_bits += scale * _level_bits(rows)
        if tried & COLUMN_LEVELS:
            context = context - columns[None, :].astype(np.int16)
            level_bits += _level_bits(columns)
        live = buckets if changed_columns is None else buckets[:, changed_columns]
        context = context if changed_columns is None else context[:, changed_columns]
        bits, first, groups = _merge_contexts(context.reshape(-1), live.reshape(-1), extra_bits, scale, n_chunks)
        if best is None or bits + level_bits < best[0]:
            best = bits + level_bits, Grouping(tried, first, groups, anchor, columns if tried & COLUMN_LEVELS else None)
    assert best is not None
    return best


def _zigzag(base: Bits, new: Bits, layout: BitLayout) -> Bits:
    difference: Bits = (new - base).view(layout.signed)
    return ((difference << 1) ^ (difference >> (8 * layout.width - 1))).view(layout.unsigned)


def _buckets(zigzag: Bits) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Bucket of each value, and how many bits it takes to tell apart the values of each bucket."""
    n_octaves = 8 * zigzag.dtype.itemsize - 5
    extra = np.concatenate([np.zeros(_EXACT), np.repeat(np.arange(n_octaves) + 2.0, 8)])
    return (_buckets_of_16_bits()[zigzag] if zigzag.dtype == np.uint16 else _bucket_numbers(zigzag)), extra


@functools.cache
def _buckets_of_16_bits() -> NDArray[np.int64]:
    return _bucket_numbers(np.arange(1 << 16, dtype=np.uint16))


def _bucket_numbers(zigzag: Bits) -> NDArray[np.int64]:
    wide = zigzag.astype(np.int64)
    octave = np.frexp(wide.astype(np.float64))[1].astype(np.int64) - 1
    large = _EXACT + 8 * (octave - 5) + ((wide >> np.maximum(octave - 3, 0)) & 7)
    return np.where(wide < _EXACT, wide, large)


def _level_bits(levels: NDArray) -> float:
    counts = np.unique(levels, return_counts=True)[1]
    return _entropy_bits(counts[None, :].astype(np.float64))[0] + 160


def _entropy_bits(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bits to code the values counted in each row."""
    totals = counts.sum(axis=1)
    logs = np.log2(counts, out=np.zeros_like(counts), where=counts > 0)
    return totals * np.log2(np.maximum(totals, 1)) - (counts * logs).sum(axis=1)


def _merge_contexts(
    context: NDArray[np.int16], buckets: NDArray[np.int64], extra: NDArray[np.float64], scale: float, n_chunks: int
) -> tuple[float, int, NDArray[np.uint8]]:
    """Join neighbouring contexts into groups as long as that makes the streams smaller.

    Returns:
        The estimated size in bits, the first context, and the group of each context from there on.
    """
    first = int(context.min())
    n_contexts = int(context.max()) - first + 1
    table = np.bincount((context.astype(np.int64) - first) * len(extra) + buckets, minlength=n_contexts * len(extra))
    table = table.reshape(n_contexts, len(extra)).astype(np.float64)
    edges = np.flatnonzero(table.any(axis=1))
    rows = list(table[edges])

    def costs_of(counts: NDArray[Any]) -> list[float]:
        # A pcodec stream has about 24 bytes of its own and 2 per bin; a small one gets few bins.
        bins = np.minimum(np.count_nonzero(counts, axis=1), 12 + np.sqrt(scale * counts.sum(axis=1) / n_chunks) / 6)
        entropy: NDArray[np.float64] = _entropy_bits(counts) + counts @ extra
        return list(scale * entropy + n_chunks * 8 * (28 + 2 * bins))

    costs = costs_of(table[edges])
    starts = [int(edge) for edge in edges]
    joined = costs_of(table[edges[:-1]] + table[edges[1:]]) if len(edges) > 1 else []
    while joined:
        gains = [costs[i] + costs[i + 1] - joined[i] for i in range(len(joined))]
        i = max(range(len(gains)), key=gains.__getitem__)
        if gains[i] <= 0 and len(rows) <= MAX_GROUPS:
            break
        rows[i] = rows[i] + rows[i + 1]
        costs[i] = joined[i]
        del rows[i + 1], costs[i + 1], starts[i + 1], joined[i]
        around = [k for k in (i - 1, i) if 0 <= k < len(joined)]
        if around:
            for k, cost in zip(around, costs_of(np.stack([rows[k] + rows[k + 1] for k in around])), strict=True):
                joined[k] = cost
    groups = np.zeros(n_contexts, np.uint8)
    for number, start in enumerate(starts):
        groups[start:] = number
    return sum(costs), first, groups
