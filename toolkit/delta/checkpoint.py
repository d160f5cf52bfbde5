"""A checkpoint on disk, one safetensors file or a sharded folder: its tensors, its fingerprint, its BaseInfo."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from toolkit.delta import kernel
from toolkit.delta.progress import Meter, Progress
from toolkit.delta.safetensors_file import SafetensorsFile, TensorSpan, read_header
from toolkit.errors import BaseModelError
from toolkit.records import BaseInfo

INDEX_NAME = "model.safetensors.index.json"
SINGLE_NAME = "model.safetensors"
BLOCK_BYTES = 1 << 21
DEFAULT_THREADS = max(1, min(16, os.cpu_count() or 1))


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a checkpoint by name, and the files that hold them."""

    root: Path
    files: tuple[SafetensorsFile, ...]
    index: Path | None = None
    tensors: dict[str, TensorSpan] = field(default_factory=dict, repr=False)

    @property
    def size_bytes(self) -> int:
        return sum(span.size_bytes for span in self.tensors.values())


def open_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in this folder (sharded or not), or in this single safetensors file.

    Raises:
        BaseModelError: if nothing is there, or a shard is missing or damaged.
    """
    path = Path(path)
    if path.is_file():
        return _collect(path.parent, [path], None)
    if (path / SINGLE_NAME).is_file():  # transformers looks in this order too
        return _collect(path, [path / SINGLE_NAME], None)
    if (path / INDEX_NAME).is_file():
        names = indexed_files(path / INDEX_NAME)
        checkpoint = _collect(path, [path / name for name in sorted(set(names.values()))], path / INDEX_NAME)
        for name, file_name in names.items():
            span = checkpoint.tensors.get(name)
            if span is None or span.file.name != file_name:
                raise BaseModelError(
                    f"{INDEX_NAME} says that {file_name} holds {name}, but it does not", "download it again"
                )
        return checkpoint
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else []
    if not files:
        raise BaseModelError(
            f"{path} holds no safetensors checkpoint",
            "give a folder with model.safetensors (or its shards and index), or one .safetensors file",
        )
    return _collect(path, files, None)


def indexed_files(index: Path) -> dict[str, str]:
    """Tensor name -> file name, from a safetensors index whose paths stay inside its folder."""
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = {str(name): str(file) for name, file in weight_map.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        raise BaseModelError(f"{index} is not a safetensors index: {cause}", "download it again") from cause
    for file in names.values():
        if not is_plain_name(file):
            raise BaseModelError(f"{index.name} points outside of its folder: {file!r}", "do not use this checkpoint")
    return names


def is_plain_name(name: str) -> bool:
    """Whether this names a file directly in its folder: no separators, no parent, nothing hidden."""
    return bool(name) and not name.startswith(".") and not any(mark in name for mark in "/\\\0:")


def _collect(root: Path, paths: list[Path], index: Path | None) -> Checkpoint:
    files = tuple(read_header(path) for path in paths)
    tensors: dict[str, TensorSpan] = {}
    for file in files:
        for span in file.tensors:
            if span.name in tensors:
                raise BaseModelError(
                    f"{span.name} is in both {tensors[span.name].file.name} and {file.path.name}",
                    "give a folder that holds one checkpoint",
                )
            tensors[span.name] = span
    return Checkpoint(root, files, index, dict(sorted(tensors.items())))


class Reader:
    """Reads byte ranges of a checkpoint from any thread; every file is opened once."""

    def __init__(self) -> None:
        self._descriptors: dict[Path, int] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            for descriptor in self._descriptors.values():
                os.close(descriptor)
            self._descriptors.clear()

    def descriptor(self, path: Path) -> int:
        with self._lock:
            if path not in self._descriptors:
                try:
                    self._descriptors[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                except OSError as cause:
                    raise BaseModelError(f"{path} cannot be read: {cause.strerror}", "check the path") from cause
            return self._descriptors[path]

    def read_into(self, span: TensorSpan, start_byte: int, buffer: memoryview) -> None:
        """Fill `buffer` with the tensor's bytes from `start_byte` on.

        Raises:
            BaseModelError: if the file ends before, or cannot be read.
        """
        descriptor, done = self.descriptor(span.file), 0
        while done < len(buffer):
            try:
                count = os.preadv(descriptor, [buffer[done:]], span.start + start_byte + done)
            except OSError as cause:
                raise BaseModelError(f"{span.file} cannot be read: {cause.strerror}", "check the disk") from cause
            if count == 0:
                raise BaseModelError(f"{span.file} ended early: it changed while it was read", "do not write to it")
            done += count

    def blocks(self, span: TensorSpan) -> Iterator[memoryview]:
        """The tensor's bytes in order, in blocks of one reused buffer."""
        buffer = memoryview(bytearray(min(BLOCK_BYTES, span.size_bytes)))
        for position in range(0, span.size_bytes, BLOCK_BYTES):
            block = buffer[: min(BLOCK_BYTES, span.size_bytes - position)]
            self.read_into(span, position, block)
            yield block


def digests(reader: Reader, span: TensorSpan) -> tuple[str, int]:
    """sha256 and crc32 of a tensor's bytes."""
    digest, crc = hashlib.sha256(), 0
    for block in reader.blocks(span):
        digest.update(block)
        crc = kernel.crc32(block, crc)
    return digest.hexdigest(), crc


def pair_digests(reader: Reader, old: TensorSpan, new: TensorSpan) -> tuple[tuple[str, int], str]:
    """`digests` of one tensor, and the sha256 of another of the same size; equal bytes are hashed only once."""
    before, after, crc = hashlib.sha256(), None, 0
    for block, other in zip(reader.blocks(old), reader.blocks(new), strict=True):
        if after is None and block != other:
            after = before.copy()
        before.update(block)
        crc = kernel.crc32(block, crc)
        if after is not None:
            after.update(other)
    sha256 = before.hexdigest()
    return (sha256, crc), sha256 if after is None else after.hexdigest()


def fingerprint_of(tensors: list[tuple[str, str, tuple[int, ...], str]]) -> str:
    """sha256 over one line `name dtype shape sha256` per tensor, in the order of the names."""
    lines = [
        f"{name}\t{dtype}\t{','.join(map(str, shape))}\t{digest}\n" for name, dtype, shape, digest in sorted(tensors)
    ]
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def base_fingerprint(path: Path, *, threads: int = DEFAULT_THREADS, progress: Progress | None = None) -> str:
    """The sha256 fingerprint of a whole checkpoint: names, dtypes, shapes and bytes of all its tensors.

    The same weights have the same fingerprint, however they are cut into files.
    """
    checkpoint = open_checkpoint(path)
    meter = Meter(progress, "fingerprint", checkpoint.size_bytes)
    with Reader() as reader, ThreadPoolExecutor(threads) as pool:

        def line(span: TensorSpan) -> tuple[str, str, tuple[int, ...], str]:
            digest = digests(reader, span)[0]
            meter.add(span.size_bytes)
            return span.name, span.dtype, span.shape, digest

        return fingerprint_of(list(pool.map(line, checkpoint.tensors.values())))


def read_base_info(folder: Path, id: str | None = None, revision: str | None = None) -> BaseInfo:
    """What a checkpoint is, from its config.json and safetensors headers alone.

    Args:
        id: Hub id, or the name under which to record a local folder; its folder name where None.

    Raises:
        BaseModelError: if config.json or the weights are missing or unreadable.
    """
    folder = Path(folder)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        architecture = str((config.get("architectures") or [config["model_type"]])[0])
        # Models that also read pictures keep what is about their decoder in a part of its own.
        decoder = config.get("text_config") or config
        layers = int(decoder.get("num_hidden_layers") or decoder.get("n_layer") or 0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        raise BaseModelError(
            f"{folder / 'config.json'} is missing or unreadable", "give a transformers checkpoint"
        ) from cause
    checkpoint = open_checkpoint(folder)
    return describe(checkpoint, id or folder.resolve().name, revision, architecture, layers)


def describe(checkpoint: Checkpoint, id: str, revision: str | None, architecture: str, n_layers: int) -> BaseInfo:
    """BaseInfo from the headers; the dtype is the one that most weights have."""
    weights: dict[str, int] = {}
    for span in checkpoint.tensors.values():
        weights[span.dtype] = weights.get(span.dtype, 0) + span.weights
    return BaseInfo(
        id=id,
        revision=revision,
        architecture=architecture,
        dtype=max(weights, key=lambda dtype: weights[dtype]) if weights else "BF16",
        n_layers=n_layers,
        n_weights=sum(weights.values()),
        size_bytes=checkpoint.size_bytes,
    )
