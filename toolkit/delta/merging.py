"""Merge: a delta onto its base gives a complete checkpoint, of which only the changed bytes were computed.

Whole files without a change are cloned or linked; unchanged ranges of the others are copied inside of the kernel;
changed chunks are decoded in between by several threads, in buffers that are used again and again.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

from toolkit.background import repeating
from toolkit.delta.basecheck import check_base
from toolkit.delta.checkpoint import DEFAULT_THREADS, INDEX_NAME, SINGLE_NAME, Checkpoint, Reader, open_checkpoint
from toolkit.delta.container import sync_folder, write_exactly
from toolkit.delta.delta import Delta, DeltaTensor, load_delta
from toolkit.delta.drafts import draft_of, remove_abandoned
from toolkit.delta.progress import Meter, Progress
from toolkit.delta.safetensors_file import SafetensorsFile, build_header
from toolkit.delta.verification import merged_chunk
from toolkit.errors import OutputError

SIDE_FILES = ("*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "LICENSE*", "NOTICE*", "USE_POLICY*", "tokenizer*")
COPIED_BYTES = 1 << 26  # of an untouched file, by one thread at a time
FICLONE = 0x40049409  # ioctl of Linux: share the other file's blocks until one side is written


@dataclass(frozen=True)
class MergeReport:
    """What a merge did."""

    out: Path
    files: int
    size_bytes: int
    changed_bytes: int
    linked_bytes: int


def merge(
    delta: Path,
    base: Path,
    out: Path,
    *,
    threads: int = DEFAULT_THREADS,
    progress: Progress | None = None,
    link: bool = True,
) -> MergeReport:
    """The base with the delta on it, as a new folder that transformers loads like any checkpoint.

    Nothing is written before the whole base and delta are known to fit; `out` appears when it is complete, or not at
    all. The base is never touched.

    Args:
        base: the checkpoint that the delta was made for.
        out: a folder that does not exist yet, or is empty.
        link: whether files without a change may be hard links to the base's where the file system cannot clone. Writing
            into such a file later would write into the base; with False they are copied.

    Raises:
        WrongBaseError: if the base is another one, naming the tensors that differ.
        DamagedDeltaError, NewerFormatError: if the delta cannot be used.
        BaseModelError: if the base cannot be read.
        OutputError: if `out` exists or cannot be written.
    """
    out = Path(out).absolute()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise OutputError(f"{out} exists already", "choose another folder, or remove it")
    checkpoint = open_checkpoint(base)
    with load_delta(delta) as opened, Reader() as reader:
        tensors = list(opened)
        check_base(opened, checkpoint, reader, threads=threads, progress=progress)
        draft = draft_of(out)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            remove_abandoned(out)
            draft.mkdir()
            _check_space(draft, checkpoint, tensors)
            report = _Merge(opened, tensors, checkpoint, reader, draft, threads, link).run(progress)
            os.replace(draft, out)  # atomic: the folder is complete when it gets its name
            sync_folder(out.parent)
        except OSError as cause:
            raise OutputError(
                f"{out} cannot be written: {cause.strerror or cause}", "free some space, or choose another place"
            ) from cause
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return MergeReport(out, report.files, report.size_bytes, report.changed_bytes, report.linked_bytes)


def _check_space(folder: Path, base: Checkpoint, tensors: list[DeltaTensor]) -> None:
    """Fail now rather than after minutes: every file with a change needs its room."""
    changed = {tensor.name: tensor.size_bytes for tensor in tensors}
    needed = sum(size for name, size in changed.items() if name not in base.tensors)
    for file in base.files:
        if any(span.name in changed for span in file.tensors):
            needed += sum(changed.get(span.name, span.size_bytes) for span in file.tensors)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free")


class _Merge:
    """One merge into a draft folder."""

    def __init__(
        self,
        delta: Delta,
        tensors: list[DeltaTensor],
        base: Checkpoint,
        reader: Reader,
        draft: Path,
        threads: int,
        link: bool,
    ) -> None:
        self._delta, self._base, self._reader, self._draft = delta, base, reader, draft
        self._changed = {tensor.name: tensor for tensor in tensors}
        self._threads, self._link = threads, link
        self._linked_bytes = 0

    def run(self, progress: Progress | None) -> MergeReport:
        meter = Meter(progress, "merge", self._base.size_bytes)
        new = [tensor for tensor in self._changed.values() if tensor.name not in self._base.tensors]
        per_file: list[list[Callable[[], None]]] = []
        descriptors: list[int] = []
        size = 0
        try:
            for number, file in enumerate(self._base.files):
                added = new if number == len(self._base.files) - 1 else []
                of_file: list[Callable[[], None]] = []
                size += self._file(file, added, of_file, descriptors, meter)
                per_file.append(of_file)
            # Turn about among the files: the kernel lets only one thread at a time write to a file.
            jobs = [job for turn in zip_longest(*per_file) for job in turn if job is not None]
            with _flushing(descriptors), ThreadPoolExecutor(self._threads) as pool:
                futures = [pool.submit(job) for job in jobs]
                try:
                    for future in futures:
                        future.result()
                finally:
                    pool.shutdown(cancel_futures=True)  # after a failure, nothing else is begun
            for descriptor in descriptors:
                os.fsync(descriptor)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        self._side_files(new)
        sync_folder(self._draft)
        changed = sum(tensor.size_bytes for tensor in self._changed.values())
        return MergeReport(self._draft, len(self._base.files), size, changed, self._linked_bytes)

    def _name(self, file: SafetensorsFile) -> str:
        return SINGLE_NAME if len(self._base.files) == 1 else file.path.name

    def _file(
        self,
        file: SafetensorsFile,
        added: list[DeltaTensor],
        jobs: list[Callable[[], None]],
        descriptors: list[int],
        meter: Meter,
    ) -> int:
        target = self._draft / self._name(file)
        untouched = not added and not any(span.name in self._changed for span in file.tensors)
        size = file.path.stat().st_size
        if untouched and (clone(file.path, target) or self._linked(file.path, target)):
            meter.add(size)
            return size
        descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        descriptors.append(descriptor)
        if untouched:
            os.ftruncate(descriptor, size)
            source = self._reader.descriptor(file.path)
            for start in range(0, size, COPIED_BYTES):
                part = min(COPIED_BYTES, size - start)
                jobs.append(partial(self._copy, source, start, descriptor, start, part, meter))
            return size
        header, placed = self._layout(file, added)
        os.pwrite(descriptor, header, 0)
        end = len(header) + sum(size for _, size in placed)
        os.ftruncate(descriptor, end)
        position = len(header)
        for name, size in placed:
            if name in self._changed:
                tensor = self._changed[name]
                for chunk in range(tensor.head.n_chunks):
                    jobs.append(partial(self._chunk, tensor, chunk, descriptor, position, meter))
            else:
                span = self._base.tensors[name]
                source = self._reader.descriptor(span.file)
                jobs.append(partial(self._copy, source, span.start, descriptor, position, size, meter))
            position += size
        return end

    def _layout(self, file: SafetensorsFile, added: list[DeltaTensor]) -> tuple[bytes, list[tuple[str, int]]]:
        """The new file's header, and name and size of its tensors in order."""
        entries = []
        for span in file.tensors:
            changed = self._changed.get(span.name)
            shape, size = (changed.merged.shape, changed.size_bytes) if changed else (span.shape, span.size_bytes)
            entries.append((span.name, span.dtype, shape, size))
        entries += [(tensor.name, tensor.merged.dtype, tensor.merged.shape, tensor.size_bytes) for tensor in added]
        placed = [(name, size) for name, _, _, size in entries]
        if [entry[:3] for entry in entries] == [(span.name, span.dtype, span.shape) for span in file.tensors]:
            return len(file.header).to_bytes(8, "little") + file.header, placed
        return build_header(entries, file.metadata), placed

    def _linked(self, source: Path, target: Path) -> bool:
        """Make `target` a hard link where that is wanted, and where the file system has them."""
        if not self._link:
            return False
        try:
            os.link(source.resolve(), target)
        except OSError:
            return False
        self._linked_bytes += target.stat().st_size
        return True

    def _chunk(self, tensor: DeltaTensor, chunk: int, descriptor: int, position: int, meter: Meter) -> None:
        target = merged_chunk(self._delta, tensor, chunk, self._base, self._reader)
        write_exactly(descriptor, target, position + tensor.chunk_range(chunk)[0])
        meter.add(len(target))

    def _copy(self, source: int, source_start: int, target: int, target_start: int, size: int, meter: Meter) -> None:
        copy_range(source, source_start, target, target_start, size)
        meter.add(size)

    def _side_files(self, new: list[DeltaTensor]) -> None:
        """Tokenizer, configuration, licence: whatever makes the folder complete, but no other weights."""
        root = self._base.root
        for source in sorted({path for pattern in SIDE_FILES for path in root.glob(pattern)}):
            if stat.S_ISREG(source.stat().st_mode) and not source.name.endswith(".index.json"):
                shutil.copyfile(source, self._draft / source.name)
        if self._base.index:
            index = json.loads(self._base.index.read_text(encoding="utf-8"))
            for tensor in new:
                index["weight_map"][tensor.name] = self._base.files[-1].path.name
            (self._draft / INDEX_NAME).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _flushing(descriptors: list[int]) -> AbstractContextManager[None]:
    """Send what is written to the disk meanwhile, so that the last fsync finds little left to do."""

    def flush() -> None:
        for descriptor in descriptors:
            with suppress(OSError):  # the last fsync will meet it again, and tell
                os.fdatasync(descriptor)

    return repeating(flush, every_seconds=0.1)


def clone(source: Path, target: Path) -> bool:
    """Make `target` share the blocks of `source` until either is written; False where the file system cannot."""
    with open(source, "rb") as reading, open(target, "xb") as writing:
        try:
            fcntl.ioctl(writing.fileno(), FICLONE, reading.fileno())
            return True
        except OSError:
            target.unlink()
            return False


def copy_range(source: int, source_start: int, target: int, target_start: int, size: int) -> None:
    """Copy bytes between open files inside of the kernel, or through a small buffer where it cannot."""
    in_kernel = getattr(os, "copy_file_range", None)  # Linux alone has it
    done = 0
    while done < size:
        try:
            if in_kernel is None:
                raise OSError(errno.ENOSYS, "no copy_file_range here")
            count = in_kernel(source, target, min(size - done, 1 << 26), source_start + done, target_start + done)
        except OSError as cause:
            if cause.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
                raise
            block = os.pread(source, min(size - done, 1 << 21), source_start + done)
            write_exactly(target, memoryview(block), target_start + done)
            count = len(block)
        if count == 0:
            raise OSError(errno.EIO, "the base ended early: it changed while it was read")
        done += count
