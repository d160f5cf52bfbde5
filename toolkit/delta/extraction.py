"""Extract a delta: compare two checkpoints, code what differs, and store all that a reader needs to check it."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

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
from toolkit.delta.comparison import Change, Difference, Pair, spread, thinned
from toolkit.delta.delta import load_delta
from toolkit.delta.grouping import ALL_FLAGS, Grouping, choose, row_levels
from toolkit.delta.prediction import SAMPLE_ROWS, Factors, Predictor, factor_bits, fit, join_rows, predict
from toolkit.delta.progress import Meter, Progress
from toolkit.delta.safetensors_file import TensorSpan
from toolkit.errors import DeltaError, OutputError
from toolkit.records import BaseInfo, DeltaInfo

SAMPLE_WEIGHTS, TRIAL_WEIGHTS = 1 << 19, 1 << 17  # on which levels and groups, and ranks, are chosen


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
        pair = Pair(self._reader, old, new, layout)
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

    def _plan(self, pair: Pair, change: Change | None, layout: BitLayout) -> tuple[Grouping, Predictor | None]:
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

    def coded(self, pair: Pair, layout: BitLayout) -> tuple[BlobHead, list[bytes], Change]:
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

        def code(chunk: int) -> tuple[list[bytes], Levels | None, tuple[int, int], Factors | None, Difference | None]:
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

    def _raw(self, pair: Pair) -> tuple[BlobHead, list[bytes], Change]:
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
