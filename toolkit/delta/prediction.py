"""Predicting the change by a product of two small integer matrices: fine-tuning moves matrices along few directions.

The change of a weight matrix is close to low-rank, the more so the shorter the training was. The delta stores factors
in 8 bits, `left` (rows) and `right` (columns), and a power of two per row; the reader adds their product to the base,
rounds to the base's dtype, and the streams code what is still missing. Integers below 2^24 are exact in float32 and a
power of two only moves the exponent, so every machine predicts the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.delta import kernel
from toolkit.delta.bits import BitLayout, Bits

RANKS = (4, 8, 16, 32)
MAX_RANK = 128  # 128 * 127 * 127 < 2^24
SAMPLE_ROWS = 384
SOLVED_WEIGHTS = 1 << 16
_LARGEST = 127  # of a factor's entries
_LOWEST_SCALE, _HIGHEST_SCALE = -100, 60  # powers of two, well inside of float32's normal range


@dataclass(frozen=True)
class Factors:
    """left (rows, rank) and right (rank, columns) in -127..127, and the power of two of each row."""

    left: NDArray[np.int8]
    right: NDArray[np.int8]
    scales: NDArray[np.int16]  # (rows,)

    @property
    def rank(self) -> int:
        return len(self.right)

    def rows(self, start: int, stop: int) -> Factors:
        return Factors(self.left[start:stop], self.right, self.scales[start:stop])


def predict(target: Bits, factors: Factors, layout: BitLayout) -> None:
    """Turn the base's bit patterns, (rows, columns), into the predicted ones in place.

    They are base + left @ right * 2^scale, rounded to the dtype.
    """
    scales = np.ldexp(np.float32(1), factors.scales.astype(np.int32)).astype(np.float32)
    kernel.predict(target, factors.left.astype(np.float32), factors.right.astype(np.float32), scales, layout)


@dataclass(frozen=True)
class Predictor:
    """The right factor of one tensor, and what is needed to find the left factor of any of its rows."""

    right: NDArray[np.int8]  # (rank, columns)
    solver: NDArray[np.float64]  # (columns, rank), whole numbers: 2^20 times the pseudo-inverse of `right`, about
    solver_exponent: int

    def left(self, base: Bits, new: Bits, layout: BitLayout) -> Factors:
        """The left factor of these rows by least squares. Sums are of whole numbers below 2^53, hence exact."""
        solution, exponents = np.empty((len(base), len(self.right))), np.empty(len(base), np.int64)
        step = max(1, SOLVED_WEIGHTS // base.shape[1])
        for start in range(0, len(base), step):  # few rows at a time, which stay in the cache
            rows = slice(start, start + step)
            change, exponents[rows] = kernel.scaled_change(base[rows], new[rows], layout)
            np.matmul(change, self.solver, out=solution[rows])  # change = round(difference * 2^-exponent)
        largest = np.abs(solution).max(axis=1, initial=1.0)
        shift = np.frexp(largest / (_LARGEST + 0.49))[1]  # smallest power of two that brings it below 127.5
        left = np.rint(np.ldexp(solution, -shift[:, None]))
        scales = shift + exponents - self.solver_exponent
        usable = (scales >= _LOWEST_SCALE) & (scales <= _HIGHEST_SCALE)
        left[~usable] = 0
        scales = np.where(usable & left.any(axis=1), scales, 0)
        return Factors(left.astype(np.int8), self.right, scales.astype(np.int16))


def fit(base: Bits, new: Bits, layout: BitLayout, rank: int = RANKS[-1]) -> list[Predictor]:
    """Predictors of every rank up to `rank`, from a sample of rows; none where it is too small to learn from."""
    step = max(1, len(base) // SAMPLE_ROWS)
    base, new = (np.ascontiguousarray(side[::step][:SAMPLE_ROWS]) for side in (base, new))
    change = kernel.scaled_change(base, new, layout)[0].astype(np.float32)
    if min(change.shape) < 2 * RANKS[0]:
        return []
    products = change @ change.T
    if _is_noise(products, change.shape[1]):
        return []
    values, vectors = np.linalg.eigh(products)
    order = np.argsort(values)[::-1][: min(rank, min(change.shape) // 2)]
    values = np.sqrt(np.maximum(values[order], 0).astype(np.float64))
    directions = (change.T @ vectors[:, order]).astype(np.float64)  # columns of length sigma
    if not len(values) or values[0] == 0:
        return []
    directions /= np.sqrt(np.maximum(values, values[0] * 1e-9))  # left and right share the singular value
    directions *= np.where(directions[np.abs(directions).argmax(axis=0), np.arange(len(order))] < 0, -1, 1)
    spread = 5 * np.sqrt(np.square(directions[:, 0]).mean())
    whole = np.clip(np.rint(directions * (_LARGEST / min(spread, np.abs(directions).max()))), -_LARGEST, _LARGEST)
    return [_solve(whole[:, :width]) for width in RANKS if width <= len(order)]


def _is_noise(products: NDArray[np.float32], columns: int) -> bool:
    """Whether rows with these inner products look independent of each other, so that no direction is worth storing.

    The squared inner product of two independent rows of n numbers is, on average, 1/n of the product of their squared
    lengths; a share s of the energy along r common directions adds s^2/r of it.
    """
    squares = np.square(products.astype(np.float64))
    lengths = products.diagonal().astype(np.float64)
    together = squares.sum() - squares.diagonal().sum()
    return bool(together < 1.2 * (lengths.sum() ** 2 - np.square(lengths).sum()) / columns)


def join_rows(parts: list[Factors]) -> Factors:
    """The factors of a whole tensor, from those of its consecutive rows."""
    left, scales = (np.concatenate(column) for column in zip(*((f.left, f.scales) for f in parts), strict=True))
    return Factors(left, parts[0].right, scales)


def _solve(right: NDArray[np.float64]) -> Predictor:
    gram = right.T @ right
    gram[np.diag_indices_from(gram)] += 1  # directions that rounded to nothing stay harmless
    solver = right @ np.linalg.inv(gram)
    exponent = 20 - int(np.frexp(np.abs(solver).max(initial=1e-30))[1])
    return Predictor(np.ascontiguousarray(right.T, np.int8), np.rint(np.ldexp(solver, exponent)), exponent)


def factor_bits(factors: Factors, total_rows: int) -> float:
    """About how many bits the factors of the whole tensor take, from those of a sample of its rows."""
    bits = 640.0
    for entries, scale in ((factors.left, total_rows / max(len(factors.left), 1)), (factors.right, 1.0)):
        counts = np.bincount(entries.reshape(-1).astype(np.int64) + 128).astype(np.float64)
        counts = counts[counts > 0]
        bits += scale * float(counts.sum() * np.log2(counts.sum()) - counts @ np.log2(counts))
    return bits + 2.0 * total_rows
