"""toolkit/delta/kernel.py: NumPy, portable C and AVX-512 do the same to every bit, for any shape and any content."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from toolkit.delta import kernel
from toolkit.delta.bits import LAYOUTS, BitLayout
from toolkit.delta.kernel_compiled import library

KERNELS = ("numpy", "portable", "compiled")
SHAPES = ((1, 1), (3, 31), (2, 64), (7, 65), (5, 320), (2, 5000))


@pytest.fixture(autouse=True)
def _compiled() -> None:
    if library() is None:
        pytest.skip("the compiled kernel was not built here: no C compiler")


def of_each(monkeypatch: pytest.MonkeyPatch, action: Any) -> list[Any]:
    results = []
    for name in KERNELS:
        monkeypatch.setenv("COGSYM_DELTA_KERNEL", name)
        results.append(action())
    return results


def assert_all_equal(results: list[Any]) -> None:
    for other in results[1:]:
        for expected, found in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(found, expected)


def weights(shape: tuple[int, int], layout: BitLayout, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Any bit patterns at all, infinities and NaN among them; about half of them changed, some rows and columns not."""
    rng = np.random.default_rng(seed)
    top = np.iinfo(layout.unsigned).max
    base = rng.integers(0, top, shape, layout.unsigned, endpoint=True)
    change = rng.integers(-9, 10, shape).astype(layout.signed).view(layout.unsigned)
    change[rng.random(shape) < 0.5] = 0
    change[:, ::7] = 0
    change[1::3] = 0
    return base, base + change


def levels(length: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-127, 128, length).astype(np.int8)


@pytest.mark.parametrize("dtype", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("with_levels", [False, True])
@pytest.mark.parametrize(
    ("first", "n_contexts", "n_groups"), [(0, 512, 9), (250, 20, 20), (-300, 900, 70), (32767, 3, 2)]
)
def test_split_and_join_are_the_same_and_undo_each_other(
    monkeypatch: pytest.MonkeyPatch, dtype: str, shape: tuple[int, int], with_levels: bool, first: int, n_contexts: int,
    n_groups: int,
) -> None:  # fmt: skip
    layout = LAYOUTS[dtype]
    base, new = weights(shape, layout, 1)
    rows, columns = (levels(shape[0], 2), levels(shape[1], 3)) if with_levels else (None, None)
    groups = (np.arange(n_contexts) * n_groups // n_contexts).astype(np.uint8)

    def round_trip() -> tuple[np.ndarray, ...]:
        values, counts = kernel.split(base, new, rows, columns, first, groups, n_groups, layout)
        room = np.zeros(kernel.join_room(base.size), layout.unsigned)
        room[: len(values)] = values
        target = base.copy()
        assert kernel.join(target, room, counts, rows, columns, first, groups, layout)
        return values, counts, target

    results = of_each(monkeypatch, round_trip)
    assert_all_equal(results)
    np.testing.assert_array_equal(results[0][2], new)


@pytest.mark.parametrize("shape", SHAPES)
def test_join_refuses_wrong_counts_and_stays_inside_of_its_buffer(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    layout = LAYOUTS["BF16"]
    base, new = weights(shape, layout, 4)
    groups = (np.arange(512) // 128).astype(np.uint8)
    guard = 4096

    def hostile() -> tuple[bool, ...]:
        _, counts = kernel.split(base, new, None, None, 0, groups, 4, layout)
        wrong = np.zeros_like(counts)
        wrong[int(np.argmin(counts))] = base.size  # every value in the group that has the fewest weights
        memory = np.full(kernel.join_room(base.size) + 2 * guard, 0xABCD, np.uint16)
        room = memory[guard:-guard]
        fits = kernel.join(base.copy(), room, wrong, None, None, 0, groups, layout)
        return fits, bool((memory[:guard] == 0xABCD).all() and (memory[-guard:] == 0xABCD).all())

    for fits, untouched in of_each(monkeypatch, hostile):
        assert untouched
        assert not fits or base.size == 1


@pytest.mark.parametrize("dtype", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_measured_of_a_change_is_the_same(
    monkeypatch: pytest.MonkeyPatch, dtype: str, shape: tuple[int, int]
) -> None:
    layout = LAYOUTS[dtype]
    base, new = weights(shape, layout, 5)

    def measure() -> tuple[Any, ...]:
        columns, squares = np.zeros(shape[1], np.bool_), np.linspace(0, 1, kernel.LANES)
        rows, count = kernel.compare(base, new, columns, squares, layout)
        sums = kernel.row_sums(base, new, 90, 28, 4095, layout)
        return rows, count, columns, squares, *kernel.scaled_change(base, new, layout), *sums

    results = of_each(monkeypatch, measure)
    assert_all_equal(results)
    rows, count, columns, *_ = results[0]
    np.testing.assert_array_equal(rows, (base != new).any(axis=1))
    np.testing.assert_array_equal(columns, (base != new).any(axis=0))
    assert count == np.count_nonzero(base != new)


@pytest.mark.parametrize("dtype", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rank", [1, 3, 32, 128])
def test_predictions_are_the_same_whatever_adds_them_up(
    monkeypatch: pytest.MonkeyPatch, dtype: str, shape: tuple[int, int], rank: int
) -> None:
    layout = LAYOUTS[dtype]
    base, _ = weights(shape, layout, 6)
    rng = np.random.default_rng(7)
    left = rng.integers(-127, 128, (shape[0], rank)).astype(np.float32)
    right = rng.integers(-127, 128, (rank, shape[1])).astype(np.float32)
    scales = np.ldexp(np.float32(1), rng.integers(-126, 101, shape[0])).astype(np.float32)

    def predicted() -> tuple[np.ndarray]:
        target = base.copy()
        kernel.predict(target, left, right, scales, layout)
        return (target,)

    assert_all_equal(of_each(monkeypatch, predicted))
