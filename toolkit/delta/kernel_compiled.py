"""The hot loops in C, through ctypes, which lets other threads run meanwhile. kernel.py says what they do."""

from __future__ import annotations

import ctypes
import functools
import os
import zlib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.delta import kernel_numpy
from toolkit.delta.bits import BitLayout, Bits

VERSION = 3  # of the functions' signatures; a library built from another source is not used
Levels = NDArray[np.int8] | None

_POINTER, _INT64, _INT32, _UINT32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32, ctypes.c_uint32


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled kernel, or None where it was not built or does not fit."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name("_kernel" + suffix)
        if not path.is_file():
            continue
        try:
            found = ctypes.CDLL(str(path))
            if found.cogsym_kernel_version() != VERSION:
                continue
            _declare(found)
        except (OSError, AttributeError):
            continue
        return found
    return None


def _declare(found: ctypes.CDLL) -> None:
    shape: list[Any] = [_INT64, _INT64]
    table: list[Any] = [_POINTER, _POINTER, _INT32, _POINTER, _INT32, _INT32, _UINT32]
    found.cogsym_split.argtypes = [_INT32, _INT32, _POINTER, _POINTER, *shape, *table, _POINTER, _POINTER, _POINTER]
    found.cogsym_join.argtypes = [_INT32, _INT32, _POINTER, *shape, *table, _POINTER, _POINTER]
    for name in ("u16", "u32"):
        rows = getattr(found, f"cogsym_rows_{name}")
        numbers: list[Any] = [_INT32, _UINT32, _INT32, _INT32, _UINT32]
        rows.argtypes = [_POINTER, _POINTER, *shape, *numbers, _POINTER, _POINTER]
        rows.restype = None
    found.cogsym_compare_bf16.argtypes = [_INT32, _POINTER, _POINTER, *shape, _POINTER, _POINTER, _POINTER]
    found.cogsym_compare_bf16.restype = _INT64
    found.cogsym_predict_bf16.argtypes = [_INT32, _POINTER, *shape, _INT32, _POINTER, _POINTER, _POINTER]
    found.cogsym_scaled_change_bf16.argtypes = [_INT32, _POINTER, _POINTER, *shape, _POINTER, _POINTER]
    for name in ("split", "join", "predict_bf16", "scaled_change_bf16"):
        getattr(found, f"cogsym_{name}").restype = None
    found.cogsym_crc32.argtypes = [_UINT32, _POINTER, _INT64]
    found.cogsym_crc32.restype = _UINT32


@functools.cache
def _has_crc32() -> bool:
    found: Any = library()
    return bool(found.cogsym_has_crc32())


def _plain() -> bool:
    return os.environ.get("COGSYM_DELTA_KERNEL") == "portable"


def _address(array: NDArray[Any] | None) -> int | None:
    if array is None:
        return None
    if not array.flags.c_contiguous:
        raise ValueError("the kernel reads contiguous arrays only")
    return array.ctypes.data


def _table(
    rows: Levels, columns: Levels, first: int, groups: NDArray[np.uint8], layout: BitLayout
) -> tuple[int | None, ...]:
    return (
        _address(rows), _address(columns), first, _address(groups), len(groups),
        layout.exponent_shift, layout.exponent_mask,
    )  # fmt: skip


def split(
    base: Bits, new: Bits, rows: Levels, columns: Levels, first: int, groups: NDArray[np.uint8], layout: BitLayout
) -> tuple[Bits, NDArray[np.int64]]:
    values, scratch, counts = np.empty_like(base), np.empty(base.size, np.uint8), np.empty(256, np.int64)
    table = _table(rows, columns, first, groups, layout)
    out = _address(values), _address(scratch), _address(counts)
    found: Any = library()
    found.cogsym_split(layout.width, _plain(), _address(base), _address(new), *base.shape, *table, *out)
    return values.reshape(-1), counts


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
    ends = np.cumsum(counts)
    positions = np.full(256, ends[-1] if len(ends) else 0, np.int64)
    positions[: len(counts)] = ends - counts
    table = _table(rows, columns, first, groups, layout)
    where = _address(values), _address(positions)
    found: Any = library()
    found.cogsym_join(layout.width, _plain(), _address(target), *target.shape, *table, *where)
    return bool(np.array_equal(positions[: len(counts)], ends))


def row_sums(
    base: Bits, new: Bits, low: int, window: int, largest: int, layout: BitLayout
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    sums, changed = np.empty(len(base), np.int64), np.empty(len(base), np.bool_)
    numbers = layout.exponent_shift, layout.exponent_mask, low, window, largest
    function = getattr(library(), f"cogsym_rows_u{8 * layout.width}")
    function(_address(base), _address(new), *base.shape, *numbers, _address(sums), _address(changed))
    return sums, changed


def compare(
    base: Bits, new: Bits, columns: NDArray[np.bool_], squares: NDArray[np.float64], layout: BitLayout
) -> tuple[NDArray[np.bool_], int]:
    if layout.dtype != "BF16":
        return kernel_numpy.compare(base, new, columns, squares, layout)
    rows = np.empty(len(base), np.bool_)
    found: Any = library()
    sums = _address(rows), _address(columns), _address(squares)
    count = found.cogsym_compare_bf16(_plain(), _address(base), _address(new), *base.shape, *sums)
    return rows, int(count)


def predict(
    target: Bits,
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    scales: NDArray[np.float32],
    layout: BitLayout,
) -> None:
    if layout.dtype != "BF16":
        return kernel_numpy.predict(target, left, right, scales, layout)
    found: Any = library()
    factors = _address(left), _address(right), _address(scales)
    found.cogsym_predict_bf16(_plain(), _address(target), *target.shape, left.shape[1], *factors)
    return None


def scaled_change(base: Bits, new: Bits, layout: BitLayout) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    if layout.dtype != "BF16":
        return kernel_numpy.scaled_change(base, new, layout)
    change, exponents = np.empty(base.shape), np.empty(len(base), np.int64)
    found: Any = library()
    out = _address(change), _address(exponents)
    found.cogsym_scaled_change_bf16(_plain(), _address(base), _address(new), *base.shape, *out)
    return change, exponents


def crc32(data: Any, crc: int) -> int:
    found: Any = library()
    flat = np.frombuffer(data, np.uint8) if not isinstance(data, np.ndarray) else data.reshape(-1).view(np.uint8)
    if len(flat) < 128 or not _has_crc32():
        return zlib.crc32(data, crc)
    whole = len(flat) & ~15  # the compiled loop takes 16 bytes at a time
    crc = found.cogsym_crc32(crc ^ 0xFFFFFFFF, flat.ctypes.data, whole) ^ 0xFFFFFFFF
    return zlib.crc32(flat[whole:].data, crc)
