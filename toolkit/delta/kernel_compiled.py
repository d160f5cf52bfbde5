"""The hot loops in C, through ctypes, which lets other threads run meanwhile. kernel.py says what they do."""

from __future__ import annotations

import ctypes
import functools
import zlib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.delta import kernel_numpy
from toolkit.delta.bits import BitLayout, Bits

VERSION = 2  # of the functions' signatures; a library built from another source is not used
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
    table = [
        _POINTER,
        _POINTER,
        _INT32,
        _POINTER,
        _INT32,
        _INT32,
        _UINT32,
    ]  # rows, columns, first, groups, n, shift, mask
    for name in ("u16", "u32"):
        split, join, rows = (getattr(found, f"cogsym_{verb}_{name}") for verb in ("split", "join", "rows"))
        split.argtypes = [_POINTER, _POINTER, _INT64, _INT64, *table, _POINTER, _POINTER, _POINTER]
        join.argtypes = [_POINTER, _INT64, _INT64, *table, _POINTER, _POINTER]
        rows.argtypes = [
            _POINTER,
            _POINTER,
            _INT64,
            _INT64,
            _INT32,
            _UINT32,
            _INT32,
            _INT32,
            _UINT32,
            _POINTER,
            _POINTER,
        ]
        split.restype = join.restype = rows.restype = None
    found.cogsym_compare_bf16.argtypes = [_POINTER, _POINTER, _INT64, _INT64, _POINTER, _POINTER, _POINTER]
    found.cogsym_compare_bf16.restype = _INT64
    found.cogsym_predict_bf16.argtypes = [_POINTER, _INT64, _INT64, _INT32, _POINTER, _POINTER, _POINTER, _POINTER]
    found.cogsym_predict_bf16.restype = None
    found.cogsym_crc32.argtypes = [_UINT32, _POINTER, _INT64]
    found.cogsym_crc32.restype = _UINT32


@functools.cache
def _has_crc32() -> bool:
    found: Any = library()
    return bool(found.cogsym_has_crc32())


def _function(verb: str, layout: BitLayout) -> Any:
    return getattr(library(), f"cogsym_{verb}_u{8 * layout.width}")


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
    _function("split", layout)(_address(base), _address(new), *base.shape, *table, *out)
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
    _function("join", layout)(_address(target), *target.shape, *table, _address(values), _address(positions))
    return bool(np.array_equal(positions[: len(counts)], ends))


def row_sums(
    base: Bits, new: Bits, low: int, window: int, largest: int, layout: BitLayout
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    sums, changed = np.empty(len(base), np.int64), np.empty(len(base), np.bool_)
    numbers = layout.exponent_shift, layout.exponent_mask, low, window, largest
    _function("rows", layout)(_address(base), _address(new), *base.shape, *numbers, _address(sums), _address(changed))
    return sums, changed


def compare(
    base: Bits, new: Bits, columns: NDArray[np.bool_], squares: NDArray[np.float64], layout: BitLayout
) -> tuple[NDArray[np.bool_], int]:
    if layout.dtype != "BF16":
        return kernel_numpy.compare(base, new, columns, squares, layout)
    rows = np.empty(len(base), np.bool_)
    found: Any = library()
    count = found.cogsym_compare_bf16(
        _address(base), _address(new), *base.shape, _address(rows), _address(columns), _address(squares)
    )
    return rows, int(count)


def predict(
    base: Bits,
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    scales: NDArray[np.float32],
    layout: BitLayout,
) -> Bits:
    if layout.dtype != "BF16":
        return kernel_numpy.predict(base, left, right, scales, layout)
    predicted = np.empty_like(base)
    found: Any = library()
    found.cogsym_predict_bf16(
        _address(base),
        *base.shape,
        left.shape[1],
        _address(left),
        _address(right),
        _address(scales),
        _address(predicted),
    )
    return predicted


def crc32(data: Any, crc: int) -> int:
    found: Any = library()
    flat = np.frombuffer(data, np.uint8) if not isinstance(data, np.ndarray) else data.reshape(-1).view(np.uint8)
    if len(flat) < 128 or not _has_crc32():
        return zlib.crc32(data, crc)
    whole = len(flat) & ~15  # the compiled loop takes 16 bytes at a time
    crc = found.cogsym_crc32(crc ^ 0xFFFFFFFF, flat.ctypes.data, whole) ^ 0xFFFFFFFF
    return zlib.crc32(flat[whole:].data, crc)
