"""The hot loops of the codec: compiled where they were built, else NumPy's; the results are the same, bit for bit.

Set COGSYM_DELTA_KERNEL=numpy to do without the compiled ones, =portable to do without AVX-512 in them.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.delta import kernel_compiled, kernel_numpy
from toolkit.delta.bits import BitLayout, Bits

Levels = NDArray[np.int8] | None
LANES = 64  # running sums of squares


def _implementation() -> ModuleType:
    wanted = os.environ.get("COGSYM_DELTA_KERNEL", "")
    return kernel_numpy if wanted == "numpy" or kernel_compiled.library() is None else kernel_compiled


def name() -> str:
    """`compiled` or `numpy`: which one is in use."""
    return _implementation().__name__.rsplit("_", 1)[1]


def split(
    base: Bits,
    new: Bits,
    rows: Levels,
    columns: Levels,
    first: int,
    groups: NDArray[np.uint8],
    n_groups: int,
    layout: BitLayout,
) -> tuple[Bits, NDArray[np.int64]]:
    """Zigzag-coded differences sorted by group, in row order within each, and how many each group has.

    Args:
        base: bit patterns before, (rows, columns), contiguous; `new` after, alike.
        rows: row levels, (rows,); `columns` column levels, (columns,); None for all zero.
        first: the context of `groups[0]`; contexts outside of the table belong to its nearest end.
        groups: the group of each context.
    """
    values, counts = _implementation().split(base, new, rows, columns, first, groups, layout)
    return values, counts[:n_groups]


def join_room(weights: int) -> int:
    """How long the buffer of values must be: a hostile stream could send every weight to the group that comes last."""
    return 2 * weights + 32


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
    """Add differences onto the base in place: what `split` took apart.

    Args:
        target: the base's bit patterns, (rows, columns), contiguous.
        values: the differences sorted by group, with `join_room` in all.
        counts: how many values each group has.

    Returns:
        Whether the groups of `target` have these counts; if not, `target` is undefined.
    """
    if len(values) < join_room(target.size):
        raise ValueError("the buffer of values is too short")
    return bool(_implementation().join(target, values, counts, rows, columns, first, groups, layout))


def row_sums(
    base: Bits, new: Bits, low: int, window: int, largest: int, layout: BitLayout
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Sum of min(|new - base|, largest) << clip(exponent - low, 0, window) over each row, and which rows differ."""
    sums, changed = _implementation().row_sums(base, new, low, window, largest, layout)
    return sums, changed


def compare(
    base: Bits, new: Bits, columns: NDArray[np.bool_], squares: NDArray[np.float64], layout: BitLayout
) -> tuple[NDArray[np.bool_], int]:
    """Which rows differ, and how many weights.

    Args:
        columns: (columns,), set where a weight differs.
        squares: (LANES,), to which the squared change of every weight is added that is finite before and after.
    """
    rows, count = _implementation().compare(base, new, columns, squares, layout)
    return rows, count


def predict(
    target: Bits,
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    scales: NDArray[np.float32],
    layout: BitLayout,
) -> None:
    """Add (left @ right) * scales to the base in float32, in place, rounded to the dtype.

    Args:
        target: the base's bit patterns, (rows, columns), contiguous.
        left: whole numbers, (rows, rank); right: whole numbers, (rank, columns), so that every sum is exact.
        scales: powers of two, (rows,).
    """
    _implementation().predict(target, left, right, scales, layout)


def scaled_change(base: Bits, new: Bits, layout: BitLayout) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """New minus old value as whole numbers of 15 bits, (rows, columns), and the power of two of each row, (rows,).

    Rounded to nearest, ties to even; zero where either value is not finite.
    """
    change, exponents = _implementation().scaled_change(base, new, layout)
    return change, exponents


def crc32(data: Any, crc: int = 0) -> int:
    """CRC-32 as in zlib, of anything contiguous."""
    return int(_implementation().crc32(data, crc))
