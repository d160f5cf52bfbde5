"""Verify a delta: its structure and checksums, its base, and with `full` the digest of every merged tensor."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.delta.basecheck import check_base
from toolkit.delta.checkpoint import DEFAULT_THREADS, Checkpoint, Reader, open_checkpoint
from toolkit.delta.delta import Delta, DeltaTensor, load_delta
from toolkit.delta.progress import Meter, Progress
from toolkit.delta.scratch import scratch
from toolkit.errors import DamagedDeltaError, DeltaError
from toolkit.records import DeltaInfo


@dataclass(frozen=True)
class VerifyReport:
    """What was checked; a check that fails raises instead."""

    info: DeltaInfo
    tensors: int
    chunks: int
    base_checked: bool
    merged_checked: bool


def verify(
    delta: Path,
    base: Path | None = None,
    *,
    full: bool = False,
    threads: int = DEFAULT_THREADS,
    progress: Progress | None = None,
) -> VerifyReport:
    """Check every byte of a delta, and of the base if one is given.

    Args:
        base: the checkpoint to which the delta shall apply; every tensor of it is checked.
        full: also decode everything and compare the sha256 of every merged tensor, nothing is written.

    Raises:
        DamagedDeltaError: naming the first part that is damaged.
        WrongBaseError: naming the tensors that differ.
        DeltaError: if `full` is asked for without a base.
    """
    if full and base is None:
        raise DeltaError("a full check merges in memory, and needs the base", "give the base too")
    with load_delta(delta) as opened, Reader() as reader, ThreadPoolExecutor(threads) as pool:
        tensors = list(opened)
        chunks = [(tensor, chunk) for tensor in tensors for chunk in range(tensor.head.n_chunks)]
        meter = Meter(progress, "check delta", sum(int(tensor.head.stream_bytes.sum()) for tensor in tensors))

        def check(item: tuple[DeltaTensor, int]) -> None:
            meter.add(len(opened.payload(*item)))

        for _ in pool.map(check, chunks):
            pass
        if base is not None:
            checkpoint = open_checkpoint(base)
            check_base(opened, checkpoint, reader, threads=threads, progress=progress)
            if full:
                _check_merged(opened, tensors, checkpoint, reader, pool, progress)
        return VerifyReport(opened.info, len(tensors), len(chunks), base is not None, full)


def _check_merged(
    delta: Delta, tensors: list[DeltaTensor], base: Checkpoint, reader: Reader, pool: ThreadPoolExecutor,
    progress: Progress | None,
) -> None:  # fmt: skip
    meter = Meter(progress, "check merged", sum(tensor.size_bytes for tensor in tensors))

    def check(tensor: DeltaTensor) -> None:
        digest = hashlib.sha256()
        for chunk in range(tensor.head.n_chunks):
            target = merged_chunk(delta, tensor, chunk, base, reader)
            digest.update(target)
            meter.add(len(target))
        if digest.hexdigest() != tensor.merged.sha256:
            raise DamagedDeltaError(f"the delta is damaged: {tensor.name} merges to other weights", "download it again")

    for _ in pool.map(check, tensors):
        pass


def merged_chunk(delta: Delta, tensor: DeltaTensor, chunk: int, base: Checkpoint, reader: Reader) -> memoryview:
    """The merged bytes of one chunk, from a base on disk that was checked, in memory that this thread uses again."""
    start, stop = tensor.chunk_range(chunk)
    buffer = scratch("merged", stop - start, np.uint8)
    target = buffer.data
    present = max(min(stop, tensor.base_bytes) - start, 0)
    if present:
        reader.read_into(base.tensors[tensor.name], start, target[:present])
    buffer[present:] = 0
    delta.apply(tensor, chunk, target, base_checked=True)
    return target
