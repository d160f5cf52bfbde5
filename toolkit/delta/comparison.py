"""One tensor before and after training: read side by side, chunk by chunk, and what differs between the two."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.delta import kernel
from toolkit.delta.bits import BitLayout, Bits
from toolkit.delta.checkpoint import Reader
from toolkit.delta.safetensors_file import ITEM_BYTES, TensorSpan
from toolkit.delta.scratch import scratch

CHUNK_WEIGHTS = 1 << 20
ROWS_READ_TOGETHER = 8  # of a sample
ROWS_LOOKED_AT = 256  # to tell whether a tensor changed everywhere


@dataclass(frozen=True)
class Difference:
    """What differs in a chunk."""

    rows: NDArray[np.bool_]
    columns: NDArray[np.bool_]
    weights: int
    squares: NDArray[np.float64]  # (LANES,) sums of the squared change


@dataclass(frozen=True)
class Change:
    """Where a tensor changed."""

    rows: NDArray[np.bool_]
    columns: NDArray[np.bool_] | None  # None where all columns changed
    weights: int
    rms: float


class Pair:
    """A tensor before and after, read in row-aligned chunks; zeros stand for weights that the base does not have."""

    def __init__(self, reader: Reader, old: TensorSpan | None, new: TensorSpan, layout: BitLayout | None) -> None:
        self._reader, self._old, self._new = reader, old, new
        self._item = ITEM_BYTES[new.dtype]
        self._dtype = layout.unsigned if layout else np.dtype(f"u{self._item}").type
        self._layout = layout
        self.columns = matrix_columns(new.shape)
        self.rows = -(-new.weights // self.columns)
        self.rows_per_chunk = max(1, CHUNK_WEIGHTS // self.columns)
        self.n_chunks = -(-self.rows // self.rows_per_chunk)
        # A list of weights has no rows and columns to tell apart: it is only cut into pieces.
        self.flat = self.rows == 1 or new.weights % self.columns != 0
        self._base_bytes = shared_bytes(old, new)

    def _read(self, span: TensorSpan | None, first: int, stop: int, available_bytes: int, bits: Bits) -> Bits:
        """Fill `bits` with rows `first` to `stop` of one side, zeros where it has none; the same as a matrix."""
        first_byte = first * self.columns * self._item
        present = min(first_byte + bits.nbytes, available_bytes) - first_byte if span is not None else 0
        present = max(present, 0)
        raw = bits.view(np.uint8)
        if span is not None and present:
            self._reader.read_into(span, first_byte, raw.data[:present])
        raw[present:] = 0
        return bits.reshape(stop - first, self.columns) if len(bits) == (stop - first) * self.columns else bits[None, :]

    def read_chunk(self, chunk: int) -> tuple[Bits, Bits]:
        """Both sides of a chunk, in memory that this thread uses again for the next one."""
        first = chunk * self.rows_per_chunk
        stop = min(self.rows, first + self.rows_per_chunk)
        weights = self._weights(first, stop)
        return self._sides(first, stop, *(scratch(side, weights, self._dtype) for side in ("base", "trained")))

    def _rows(self, first: int, stop: int) -> tuple[Bits, Bits]:
        weights = self._weights(first, stop)
        return self._sides(first, stop, np.empty(weights, self._dtype), np.empty(weights, self._dtype))

    def _weights(self, first: int, stop: int) -> int:
        return min(stop * self.columns, self._new.weights) - first * self.columns

    def _sides(self, first: int, stop: int, old: Bits, new: Bits) -> tuple[Bits, Bits]:
        return (
            self._read(self._old, first, stop, self._base_bytes, old),
            self._read(self._new, first, stop, self._new.size_bytes, new),
        )

    def read_rows(self, rows: NDArray[np.intp]) -> tuple[Bits, Bits]:
        """These rows, in rising order; neighbours are read together."""
        runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
        pairs = [self._rows(int(run[0]), int(run[-1]) + 1) for run in runs]
        width = min(old.shape[1] for old, _ in pairs)  # the last row of a list may be cut short
        return np.concatenate([o[:, :width] for o, _ in pairs]), np.concatenate([n[:, :width] for _, n in pairs])

    def changes_everywhere(self) -> bool:
        """Whether in a sample every row and every column changed."""
        if self.flat:
            return True
        old, new = self.read_rows(spread(np.arange(self.rows), ROWS_LOOKED_AT))
        found = self.difference(old, new)
        return bool(found.rows.all() and found.columns.all())

    def compare(self, pool: Executor) -> Change:
        """Which rows and columns changed, and by how much."""
        return self.change_of(
            list(pool.map(lambda chunk: self.difference(*self.read_chunk(chunk)), range(self.n_chunks)))
        )

    def difference(self, old: Bits, new: Bits) -> Difference:
        """What differs between these rows."""
        columns, squares = np.zeros(old.shape[1], np.bool_), np.zeros(kernel.LANES)
        if self._layout:
            rows, weights = kernel.compare(old, new, columns, squares, self._layout)
            return Difference(rows, columns, weights, squares)
        differs = old != new
        return Difference(differs.any(axis=1), differs.any(axis=0), int(np.count_nonzero(differs)), squares)

    def change_of(self, differences: list[Difference]) -> Change:
        """The change of the whole tensor from those of its chunks, in their order."""
        count, squares = 0, np.zeros(kernel.LANES)
        for difference in differences:
            count += difference.weights
            squares += difference.squares
        rms = float(f"{math.sqrt(math.fsum(squares) / max(self._new.weights, 1)):.4g}")
        if self.flat or not differences:
            return Change(np.ones(self.rows, np.bool_), None, count, rms)
        columns = np.logical_or.reduce([difference.columns for difference in differences])
        rows = np.concatenate([difference.rows for difference in differences])
        return Change(rows, None if columns.all() else columns, count, rms)


def spread(rows: NDArray[np.intp], wanted: int) -> NDArray[np.intp]:
    """About `wanted` of these rows, some neighbours each, evenly spread over all of them."""
    runs = max(1, -(-wanted // ROWS_READ_TOGETHER))
    if len(rows) <= runs * ROWS_READ_TOGETHER:
        return rows
    starts = np.linspace(0, len(rows) - ROWS_READ_TOGETHER, runs).astype(np.intp)
    return rows[np.unique(starts[:, None] + np.arange(ROWS_READ_TOGETHER))]


def thinned(sample: Bits, weights: int) -> Bits:
    """Evenly spread rows of a sample, about so many weights."""
    return np.ascontiguousarray(sample[:: max(1, sample.size // weights)])


def matrix_columns(shape: tuple[int, ...]) -> int:
    """Weights per row of the matrix as which a tensor is coded; short rows for what has no useful rows."""
    weights = math.prod(shape)
    last = shape[-1] if shape else 1
    if len(shape) >= 2 and 1 < last <= CHUNK_WEIGHTS:
        return last
    return max(1, min(weights, CHUNK_WEIGHTS))


def shared_bytes(old: TensorSpan | None, new: TensorSpan) -> int:
    """How many leading bytes of the merged tensor have a weight in the base: all, or those of the rows they share."""
    if old is None or old.shape[1:] != new.shape[1:] or len(old.shape) != len(new.shape):
        return 0
    return min(old.size_bytes, new.size_bytes)
