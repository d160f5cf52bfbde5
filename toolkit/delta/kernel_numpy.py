"""The hot loops in NumPy: differences into groups, and groups back onto the base. The C kernel does exactly the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit.delta.bits import BitLayout, Bits


def _groups(
    bits: Bits,
    rows: NDArray[np.int8] | None,
    columns: NDArray[np.int8] | None,
    first: int,
    groups: NDArray[np.uint8],
    layout: BitLayout,
) -> NDArray[np.uint8]:
    """Group of each weight: 2 * exponent - row level - column level, looked up in the stored table."""
    context = ((bits >> layout.unsigned(layout.exponent_shift)) & layout.unsigned(layout.exponent_mask)).astype(
        np.int16
    )
    context += context
    if rows is not None:
        context -= rows[:, None]
    if columns is not None:
        context -= columns[None, :]
    context -= np.int16(first)
    np.clip(context, 0, len(groups) - 1, out=context)
    return groups[context]


def split(
    base: Bits,
    new: Bits,
    rows: NDArray[np.int8] | None,
    columns: NDArray[np.int8] | None,
    first: int,
    groups: NDArray[np.uint8],
    n_groups: int,
    layout: BitLayout,
) -> tuple[Bits, NDArray[np.int64]]:
    """Zigzag-coded differences sorted by group, in row order within each, and the number of each group."""
    group = _groups(base, rows, columns, first, groups, layout).reshape(-1)
    difference = (new - base).view(layout.signed).reshape(-1)
    zigzag = ((difference << 1) ^ (difference >> (8 * layout.width - 1))).view(layout.unsigned)
    order = np.argsort(group, kind="stable")
    return zigzag[order], np.bincount(group, minlength=n_groups)


def join(
    target: Bits,
    values: Bits,
    counts: NDArray[np.int64],
    rows: NDArray[np.int8] | None,
    columns: NDArray[np.int8] | None,
    first: int,
    groups: NDArray[np.uint8],
    layout: BitLayout,
) -> bool:
    """Add the differences in `values` onto `target` in place; False if the groups' sizes are not `counts`."""
    group = _groups(target, rows, columns, first, groups, layout).reshape(-1)
    if not np.array_equal(np.bincount(group, minlength=len(counts)), counts):
        return False
    order = np.argsort(group, kind="stable")
    zigzag = np.empty(target.size, target.dtype)
    zigzag[order] = values[: target.size]
    one = layout.unsigned(1)
    zigzag = (zigzag >> one) ^ (~(zigzag & one) + one)
    target += zigzag.reshape(target.shape)
    return True
