"""The hot loops in NumPy. kernel.py says what they do; the C kernel does exactly the same."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.delta.bits import BitLayout, Bits, to_float32

Levels = NDArray[np.int8] | None

_BLOCK = 1 << 15  # weights

FLOAT32_SAFE = {"BF16": (32, 255), "F32": (32, 255), "F16": (1, 31)}
"""Exponent fields, first and last (exclusive), of weights that are predicted: no subnormal can come up, so processors
that flush those to zero predict the same, and no infinity or NaN goes in."""


def _exponents(bits: Bits, layout: BitLayout) -> Bits:
    return (bits >> layout.unsigned(layout.exponent_shift)) & layout.unsigned(layout.exponent_mask)


def _groups(
    bits: Bits, rows: Levels, columns: Levels, first: int, groups: NDArray[np.uint8], layout: BitLayout
) -> NDArray[np.uint8]:
    """Group of each weight: 2 * exponent - row level - column level, looked up in the stored table."""
    # A first context that no writer needs must not wrap around.
    context: NDArray[Any] = _exponents(bits, layout).astype(np.int16 if abs(first) <= 4096 else np.int32)
    context += context
    if rows is not None:
        context -= rows[:, None]
    if columns is not None:
        context -= columns[None, :]
    context -= first
    return np.take(groups, context, mode="clip").reshape(-1)


def split(
    base: Bits, new: Bits, rows: Levels, columns: Levels, first: int, groups: NDArray[np.uint8], layout: BitLayout
) -> tuple[Bits, NDArray[np.int64]]:
    group = _groups(base, rows, columns, first, groups, layout)
    difference: Bits = (new - base).view(layout.signed).reshape(-1)
    zigzag: Bits = ((difference << 1) ^ (difference >> (8 * layout.width - 1))).view(layout.unsigned)
    order = np.argsort(group, kind="stable")
    return zigzag[order], np.bincount(group, minlength=256)


def join(
    target: Bits,
    values: Bits,
    counts: NDArray[np.int64],
    rows: Levels,
    columns: Levels,
    first: int,
    groups: NDArray[np.uint8],
    layout: BitLayout,
) -> bool:
    cursors = np.cumsum(counts) - counts
    ends = cursors + counts
    one = layout.unsigned(1)
    if rows is None and columns is None:
        target = target.reshape(-1, 1)  # nothing tells the rows apart, so blocks may end anywhere
    step = max(1, _BLOCK // max(target.shape[1], 1))
    for start in range(0, len(target), step):  # in blocks whose index arrays stay in the cache
        block = target[start : start + step]
        levels = rows if rows is None else rows[start : start + step]
        group = _groups(block, levels, columns, first, groups, layout)
        stops = cursors + np.bincount(group, minlength=len(counts))[: len(counts)]
        parts = [values[begin:stop] for begin, stop in zip(cursors.tolist(), stops.tolist(), strict=True)]
        cursors = stops
        zigzag = np.empty(block.size, target.dtype)
        zigzag[np.argsort(group, kind="stable")] = np.concatenate(parts)
        sign = zigzag & one
        np.negative(sign, out=sign)
        zigzag >>= one
        zigzag ^= sign
        block += zigzag.reshape(block.shape)
    return np.array_equal(cursors, ends)


def row_sums(
    base: Bits, new: Bits, low: int, window: int, largest: int, layout: BitLayout
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    difference = (new - base).view(layout.signed).astype(np.int64)
    size = np.minimum(np.abs(difference), largest)
    up = np.clip(_exponents(base, layout).astype(np.int64) - low, 0, window)
    return (size << up).sum(axis=1), (new != base).any(axis=1)


def compare(
    base: Bits, new: Bits, columns: NDArray[np.bool_], squares: NDArray[np.float64], layout: BitLayout
) -> tuple[NDArray[np.bool_], int]:
    differs = base != new
    columns |= differs.any(axis=0)
    change = change_of(base, new, layout)
    change *= change
    change = np.pad(change, ((0, 0), (0, -change.shape[1] % len(squares)))).reshape(-1, len(squares))
    change[0] += squares
    np.add.reduce(change, axis=0, out=squares)  # one after the other, the order in which the compiled loop adds
    return differs.any(axis=1), int(np.count_nonzero(differs))


def predict(
    target: Bits,
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    scales: NDArray[np.float32],
    layout: BitLayout,
) -> None:
    product = left @ right
    product *= scales[:, None]
    with np.errstate(all="ignore"):
        product += to_float32(target, layout)
        predicted = _round(product, layout)
    exponent = _exponents(target, layout)
    low, high = FLOAT32_SAFE[layout.dtype]
    np.copyto(target, predicted, where=(exponent >= low) & (exponent < high))


def scaled_change(base: Bits, new: Bits, layout: BitLayout) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    change = change_of(base, new, layout)
    exponents = np.frexp(np.abs(change).max(axis=1))[1].astype(np.int64) - 15
    np.ldexp(change, -exponents[:, None], out=change)
    np.rint(change, out=change)
    return np.clip(change, -32767, 32767, out=change), exponents


def change_of(base: Bits, new: Bits, layout: BitLayout) -> NDArray[np.float64]:
    """New minus old value, zero where either is not finite."""
    with np.errstate(all="ignore"):
        before, after = (to_float32(bits, layout).astype(np.float64) for bits in (base, new))
        change = after - before
    change[~(np.isfinite(before) & np.isfinite(after))] = 0
    return change


def _round(values: NDArray[np.float32], layout: BitLayout) -> Bits:
    """Bit patterns of the nearest values of the dtype, ties to even; `values` is used up."""
    if layout.dtype == "F32":
        return values.view(np.uint32)
    if layout.dtype == "F16":
        return values.astype(np.float16).view(np.uint16)
    bits = values.view(np.uint32)
    bits += ((bits >> np.uint32(16)) & np.uint32(1)) + np.uint32(0x7FFF)
    return (bits >> np.uint32(16)).astype(np.uint16)


def crc32(data: Any, crc: int) -> int:
    return zlib.crc32(data, crc)
