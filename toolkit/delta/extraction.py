"""Extract a delta: compare two checkpoints, code what differs, and store all that a reader needs to check it."""

from __future__ import annotations

import contextlib
import math
import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.delta import container, kernel
from toolkit.delta.bits import LAYOUTS, BitLayout, Bits
from toolkit.delta.blas import one_thread_each
from toolkit.delta.blob import PREDICTED, RAW, ROW_LEVELS, BlobHead, Levels, pack_head
from toolkit.delta.checkpoint import (
    DEFAULT_THREADS,
    Checkpoint,
    Reader,
    describe,
    digests,
    fingerprint_of,
    open_checkpoint,
    pair_digests,
    read_base_info,
)
from toolkit.delta.codec import encode_chunk
from toolkit.delta.delta import load_delta
from toolkit.delta.grouping import ALL_FLAGS, Grouping, choose, row_levels
from toolkit.delta.prediction import SAMPLE_ROWS, Factors, Predictor, factor_bits, fit, join_rows, predict
from toolkit.delta.progress import Meter, Progress
from toolkit.delta.safetensors_file import ITEM_BYTES, TensorSpan
from toolkit.delta.scratch import scratch
from toolkit.errors import DeltaError, OutputError
from toolkit.records import BaseInfo, DeltaInfo

CHUNK_WEIGHTS = 1 << 20
SAMPLE_WEIGHTS, TRIAL_WEIGHTS = 1 << 19, 1 << 17  # on which levels and groups, and ranks, are chosen
ROWS_READ_TOGETHER = 8  # of a sample


def extract(
    base: Path,
    trained: Path,
    out: Path,
    *,
    base_info: BaseInfo | None = None,
    threads: int = DEFAULT_THREADS,
    progress: Progress | None = None,
    overwrite: bool = False,
    shard_bytes: int = container.SHARD_BYTES,
) -> DeltaInfo:
    """What changed from `base` to `trained`, written losslessly to `out`.

    Both are folders with safetensors (sharded or not) or single files. Tensors that `trained` lacks count as unchanged,
    so it may hold the trained ones alone. Memory does not grow with the model.

    Args:
        out: the delta.safetensors to write; above `shard_bytes`, shards and `out`.index.json are written beside it.
        base_info: which base this is; read from the base's config.json where None.
        overwrite: whether an existing delta at `out` may be replaced.

    Returns:
        How large the delta is and what it changes, tensor by tensor.

    Raises:
        BaseModelError: if either checkpoint is missing or unreadable.
        DeltaError: if a tensor has another dtype than in the base, or nothing changed.
        OutputError: if `out` exists already or cannot be written.
    """
    out = Path(out)
    if not overwrite and (out.exists() or out.with_name(out.name + ".index.json").exists()):
        raise OutputError(f"{out} exists already", "choose another name, or allow overwriting it")
    old, new = open_checkpoint(base), open_checkpoint(trained)
    _check_dtypes(old, new)
    base_info = base_info or _describe(Path(base), old)
    meter = Meter(progress, "extract", sum(span.size_bytes for span in (*old.tensors.values(), *new.tensors.values())))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        spool = tempfile.TemporaryFile(dir=out.parent, buffering=0)  # noqa: SIM115  nameless, so it is gone even if we are killed
    except OSError as cause:
        raise OutputError(f"{out.parent} cannot be written: {cause.strerror}", "choose another folder") from cause
    with spool, Reader() as reader, one_thread_each():
        blobs: list[container.Spooled] = []
        spooled = 0
        base_tensors: dict[str, container.BaseTensor] = {}
        changed: dict[str, container.ChangedTensor] = {}
        for coded in _code_tensors(old, new, reader, threads, meter):
            if coded.base is not None:
                base_tensors[coded.name] = coded.base
            if coded.changed is not None:
                changed[coded.name] = coded.changed
                start = spooled
                for part in (coded.head, *coded.payloads):
                    try:
                        container.write_exactly(spool.fileno(), memoryview(part), spooled)
                    except OSError as cause:
                        raise OutputError(f"{out} cannot be written: {cause.strerror}", "free some space") from cause
                    spooled += len(part)
                blobs.append(container.Spooled(coded.name, start, spooled - start))
        if not changed:
            raise DeltaError(
                "nothing changed: every tensor equals the base's", "check that TRAINED is the trained model"
            )
        manifest = container.Manifest(base=base_info, base_tensors=base_tensors, changed=changed)
        path = container.write_delta(out, spool, blobs, manifest, fingerprints(manifest), shard_bytes=shard_bytes)
    with load_delta(path) as delta:
        return delta.info


def fingerprints(manifest: container.Manifest) -> tuple[str, str]:
    """Fingerprint of the base, and of the whole checkpoint after merging."""
    before = {name: (name, t.dtype, t.shape, t.sha256) for name, t in manifest.base_tensors.items()}
    after = before | {name: (name, t.dtype, t.shape, t.sha256) for name, t in manifest.changed.items()}
    return fingerprint_of(list(before.values())), fingerprint_of(list(after.values()))


def _check_dtypes(old: Checkpoint, new: Checkpoint) -> None:
    other = [n for n, span in new.tensors.items() if n in old.tensors and old.tensors[n].dtype != span.dtype]
    if other:
        first = other[0]
        raise DeltaError(
            f"{len(other)} tensors have another dtype than in the base (first: {first}, {new.tensors[first].dtype}, "
            f"base {old.tensors[first].dtype})",
            "save the trained weights in the base's dtype, which is what will be merged",
        )


def _describe(base: Path, checkpoint: Checkpoint) -> BaseInfo:
    folder = base if base.is_dir() else base.parent
    if (folder / "config.json").is_file():
        return read_base_info(folder)
    layers = {int(match[1]) for name in checkpoint.tensors if (match := re.search(r"\.layers\.(\d+)\.", name))}
    return describe(checkpoint, base.stem, None, "unknown", len(layers))


@dataclass(frozen=True)
class _Coded:
    """One tensor of the base or of the trained checkpoint, compared and coded."""

    name: str
    base: container.BaseTensor | None
    changed: container.ChangedTensor | None = None
    head: bytes = b""
    payloads: tuple[bytes, ...] = ()


def _code_tensors(old: Checkpoint, new: Checkpoint, reader: Reader, threads: int, meter: Meter) -> Iterator[_Coded]:
    """Every tensor in the order of the names; a few are worked on at a time, their chunks shared among the threads."""
    names = sorted(set(old.tensors) | set(new.tensors))
    with ThreadPoolExecutor(threads) as chunk_pool, ThreadPoolExecutor(min(threads, 4) + 1) as tensor_pool:
        ahead = min(threads, 4) + 1
        pending: list[Future[_Coded]] = []
        job = _TensorCoder(reader, chunk_pool, meter)
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: [future.cancel() for future in pending])
            for name in names:
                pending.append(tensor_pool.submit(job.code, name, old.tensors.get(name), new.tensors.get(name)))
                if len(pending) > ahead:
                    yield pending.pop(0).result()
            while pending:
                yield pending.pop(0).result()


@dataclass(frozen=True)
class _Difference:
    """What differs in a chunk."""

    rows: NDArray[np.bool_]
    columns: NDArray[np.bool_]
    weights: int
    squares: NDArray[np.float64]  # (LANES,) sums of the squared change


@dataclass(frozen=True)
class _Change:
    """Where a tensor changed."""

    rows: NDArray[np.bool_]
    columns: NDArray[np.bool_] | None  # None where all columns changed
    weights: int
    rms: float


class _TensorCoder:
    """Codes tensors one by one, reading both sides in chunks."""

    def __init__(self, reader: Reader, pool: Executor, meter: Meter) -> None:
        self._reader, self._pool, self._meter = reader, pool, meter

    def code(self, name: str, old: TensorSpan | None, new: TensorSpan | None) -> _Coded:
        base, sha256 = self._digests(old, new)
        self._meter.add((old.size_bytes if old else 0) + (new.size_bytes if new else 0))
        if new is None or (base is not None and (base.sha256, base.shape) == (sha256, new.shape)):
            return _Coded(name, base)
        layout = LAYOUTS.get(new.dtype) if new.weights else None
        pair = _Pair(self._reader, old, new, layout)
        head, payloads, change = self.coded(pair, layout) if layout else self._raw(pair)
        packed = pack_head(head)
        if layout and len(packed) + sum(map(len, payloads)) > new.size_bytes:  # noise: the plain bytes are smaller
            head, payloads, _ = self._raw(pair)
            packed = pack_head(head)
        changed = container.ChangedTensor(
            dtype=new.dtype, shape=new.shape, sha256=sha256, changed=change.weights, rms=change.rms
        )
        return _Coded(name, base, changed, packed, tuple(payloads))

    def _digests(self, old: TensorSpan | None, new: TensorSpan | None) -> tuple[container.BaseTensor | None, str]:
        """What the base's tensor is, and the sha256 of the trained one."""
        if old is None:
            return None, digests(self._reader, new)[0] if new else ""
        if new is not None and (old.dtype, old.shape) == (new.dtype, new.shape):
            (before, crc), after = pair_digests(self._reader, old, new)
        else:
            before, crc = digests(self._reader, old)
            after = digests(self._reader, new)[0] if new else ""
        return container.BaseTensor(dtype=old.dtype, shape=old.shape, sha256=before, crc32=crc), after

    def _plan(self, pair: _Pair, change: _Change | None, layout: BitLayout) -> tuple[Grouping, Predictor | None]:
        """Whether and how to predict, and how to group what is left: whatever is smallest on a sample of rows.

        Args:
            change: where the tensor changed; None where it changed everywhere.
        """
        picked = np.arange(pair.rows) if change is None else np.flatnonzero(change.rows)
        if not len(picked):  # only new rows, all of them zero
            picked = np.zeros(1, np.intp)
        old, new = pair.read_rows(spread(picked, max(SAMPLE_ROWS, SAMPLE_WEIGHTS // pair.columns)))

        def grouped(base: Bits, new: Bits, **options: Any) -> tuple[float, Grouping]:
            options.setdefault("flags", (0,) if pair.flat else ALL_FLAGS)
            return choose(
                base,
                new,
                total_rows=len(picked),
                n_chunks=pair.n_chunks,
                row_sparse=len(picked) < pair.rows,
                changed_columns=change.columns if change else None,
                layout=layout,
                **options,
            )

        few_old, few_new = thinned(old, TRIAL_WEIGHTS), thinned(new, TRIAL_WEIGHTS)
        best, grouping = grouped(few_old, few_new)
        chosen: Predictor | None = None
        predicted = few_old
        for predictor in fit(old, new, layout) if not pair.flat else []:
            factors = predictor.left(few_old, few_new, layout)
            trial = few_old.copy()
            predict(trial, factors, layout)
            # Levels cost little: with the levels that were best without a prediction, ranks can be compared.
            bits, _ = grouped(trial, few_new, flags=(grouping.flags,))
            bits += factor_bits(factors, pair.rows)
            if bits > best:
                break  # higher ranks only cost more from here
            best, chosen, predicted = bits, predictor, trial
        old, new = thinned(old, SAMPLE_WEIGHTS), thinned(new, SAMPLE_WEIGHTS)
        if chosen is not None:
            grouping = grouped(predicted, few_new)[1]
            predict(old, chosen.left(old, new, layout), layout)
        return grouped(old, new, flags=(grouping.flags,))[1], chosen

    def coded(self, pair: _Pair, layout: BitLayout) -> tuple[BlobHead, list[bytes], _Change]:
        """The head and the payloads of a changed tensor, and where it changed.

        A tensor of which a sample changed everywhere is read only once; else what changed is looked for first.
        """
        change = None if pair.changes_everywhere() else pair.compare(self._pool)
        grouping, predictor = self._plan(pair, change, layout)
        draft = BlobHead(
            pair.columns, pair.rows_per_chunk, grouping.flags | (PREDICTED if predictor else 0), grouping.first_context,
            grouping.groups, None, grouping.column_levels, None, *(np.zeros(0, np.uint32),) * 3,
            np.zeros((0, grouping.n_groups), np.uint32),
        )  # fmt: skip

        def code(chunk: int) -> tuple[list[bytes], Levels | None, tuple[int, int], Factors | None, _Difference | None]:
            old, new = pair.read_chunk(chunk)
            found = pair.difference(old, new) if change is None else None
            crcs = kernel.crc32(old), kernel.crc32(new)
            factors = predictor.left(old, new, layout) if predictor else None
            if factors is not None:
                predict(old, factors, layout)
            levels = row_levels(old, new, grouping.anchor, layout) if grouping.flags & ROW_LEVELS else None
            return encode_chunk(old, new, draft, levels, layout), levels, crcs, factors, found

        results = list(self._pool.map(code, range(pair.n_chunks)))
        levels = [levels for _, levels, *_ in results if levels is not None]
        factors = [factors for *_, factors, _ in results if factors is not None]
        payloads = [b"".join(streams) for streams, *_ in results]
        head = replace(
            draft,
            row_levels=np.concatenate(levels) if levels else None,
            factors=join_rows(factors) if factors else None,
            base_crcs=np.array([crcs[0] for _, _, crcs, *_ in results], np.uint32),
            merged_crcs=np.array([crcs[1] for _, _, crcs, *_ in results], np.uint32),
            payload_crcs=np.array([kernel.crc32(payload) for payload in payloads], np.uint32),
            stream_bytes=np.array([[len(stream) for stream in streams] for streams, *_ in results], np.uint32).reshape(
                len(results), grouping.n_groups
            ),
        )
        return head, payloads, change or pair.change_of([found for *_, found in results if found is not None])

    def _raw(self, pair: _Pair) -> tuple[BlobHead, list[bytes], _Change]:
        payloads, differences, base_crcs = [], [], np.zeros(pair.n_chunks, np.uint32)
        for chunk in range(pair.n_chunks):
            old, new = pair.read_chunk(chunk)
            base_crcs[chunk] = kernel.crc32(old)
            differences.append(pair.difference(old, new))
            payloads.append(new.tobytes())
        crcs = np.array([kernel.crc32(payload) for payload in payloads], np.uint32)
        sizes = np.array([[len(payload)] for payload in payloads], np.uint32).reshape(-1, 1)
        empty = np.zeros(0, np.uint8)
        return (
            BlobHead(pair.columns, pair.rows_per_chunk, RAW, 0, empty, None, None, None, base_crcs, crcs, crcs, sizes),
            payloads,
            pair.change_of(differences),
        )


class _Pair:
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
        old, new = self.read_rows(spread(np.arange(self.rows), 2 * ROWS_READ_TOGETHER))
        found = self.difference(old, new)
        return bool(found.rows.all() and found.columns.all())

    def compare(self, pool: Executor) -> _Change:
        """Which rows and columns changed, and by how much."""
        return self.change_of(
            list(pool.map(lambda chunk: self.difference(*self.read_chunk(chunk)), range(self.n_chunks)))
        )

    def difference(self, old: Bits, new: Bits) -> _Difference:
        """What differs between these rows."""
        columns, squares = np.zeros(old.shape[1], np.bool_), np.zeros(kernel.LANES)
        if self._layout:
            rows, weights = kernel.compare(old, new, columns, squares, self._layout)
            return _Difference(rows, columns, weights, squares)
        differs = old != new
        return _Difference(differs.any(axis=1), differs.any(axis=0), int(np.count_nonzero(differs)), squares)

    def change_of(self, differences: list[_Difference]) -> _Change:
        """The change of the whole tensor from those of its chunks, in their order."""
        count, squares = 0, np.zeros(kernel.LANES)
        for difference in differences:
            count += difference.weights
            squares += difference.squares
        rms = float(f"{math.sqrt(math.fsum(squares) / max(self._new.weights, 1)):.4g}")
        if self.flat or not differences:
            return _Change(np.ones(self.rows, np.bool_), None, count, rms)
        columns = np.logical_or.reduce([difference.columns for difference in differences])
        rows = np.concatenate([difference.rows for difference in differences])
        return _Change(rows, None if columns.all() else columns, count, rms)


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
