"""An opened delta: its tensors one by one, each decoded chunk by chunk onto the base's bytes, with every check made."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from toolkit.delta import kernel
from toolkit.delta.bits import LAYOUTS, Bits
from toolkit.delta.blob import HEAD, BlobHead, unpack_head
from toolkit.delta.checkpoint import Checkpoint
from toolkit.delta.codec import decode_chunk
from toolkit.delta.container import DOWNLOAD_AGAIN, BaseTensor, ChangedTensor, DeltaFiles, open_files
from toolkit.delta.facts import info_of
from toolkit.delta.safetensors_file import ITEM_BYTES, TensorSpan
from toolkit.errors import DamagedDeltaError, WrongBaseError
from toolkit.records import BaseInfo, DeltaInfo


@dataclass(frozen=True)
class DeltaTensor:
    """One changed tensor: what it is after merging, what the base must have, and how it is coded."""

    name: str
    merged: ChangedTensor
    base: BaseTensor | None  # None where the base has no such tensor
    head: BlobHead
    span: TensorSpan
    payload_start: int  # absolute, in bytes

    @property
    def size_bytes(self) -> int:
        """Bytes of the merged tensor."""
        return self.merged.weights * ITEM_BYTES[self.merged.dtype]

    @property
    def base_bytes(self) -> int:
        """How many leading bytes of the merged tensor start from a weight of the base; zeros stand for the others."""
        base, merged = self.base, self.merged
        if base is None or len(base.shape) != len(merged.shape) or base.shape[1:] != merged.shape[1:]:
            return 0
        return min(_bytes(base), self.size_bytes)

    def chunk_range(self, chunk: int) -> tuple[int, int]:
        """First and last byte (exclusive) of a chunk in the merged tensor."""
        step = self.head.chunk_weights * ITEM_BYTES[self.merged.dtype]
        return chunk * step, min((chunk + 1) * step, self.size_bytes)


def _bytes(tensor: BaseTensor) -> int:
    size = ITEM_BYTES[tensor.dtype]
    for length in tensor.shape:
        size *= length
    return size


class Delta:
    """An opened delta; close it, or use it as a context manager. Decoding is safe from several threads."""

    def __init__(self, files: DeltaFiles) -> None:
        self.files = files
        self._descriptors = {file.path: os.open(file.path, os.O_RDONLY | os.O_CLOEXEC) for file in files.files}
        self._tensors: dict[str, DeltaTensor] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            for descriptor in self._descriptors.values():
                os.close(descriptor)
            self._descriptors.clear()

    @property
    def base(self) -> BaseInfo:
        return self.files.manifest.base

    @property
    def info(self) -> DeltaInfo:
        return info_of(self.files, {tensor.name: tensor.head.mode() for tensor in self})

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the changed tensors."""
        return tuple(self.files.manifest.changed)

    def __iter__(self) -> Iterator[DeltaTensor]:
        return (self.tensor(name) for name in self.names)

    def tensor(self, name: str) -> DeltaTensor:
        """The head of one changed tensor, checked.

        Raises:
            DamagedDeltaError: if a checksum or any field contradicts the rest.
        """
        with self._lock:
            if name in self._tensors:
                return self._tensors[name]
        manifest, span = self.files.manifest, self.files.spans[name]
        merged, base = manifest.changed[name], manifest.base_tensors.get(name)
        if base is not None and base.dtype != merged.dtype:
            raise DamagedDeltaError(f"the delta is damaged: {name} changes its dtype", DOWNLOAD_AGAIN)
        fields = self._read(span, 0, min(HEAD.size, span.size_bytes))
        size = HEAD.unpack(fields)[1] if len(fields) == HEAD.size else 0
        head, size = unpack_head(self._read(span, 0, min(size, span.size_bytes)), merged.weights, name)
        tensor = DeltaTensor(name, merged, base, head, span, span.start + size)
        if size + int(head.stream_bytes.sum(dtype=np.int64)) != span.size_bytes:
            raise DamagedDeltaError(f"the delta is damaged: the streams of {name} do not add up", DOWNLOAD_AGAIN)
        if head.raw:
            sizes = [stop - start for start, stop in map(tensor.chunk_range, range(head.n_chunks))]
            if head.stream_bytes[:, 0].tolist() != sizes:
                raise DamagedDeltaError(f"the delta is damaged: {name} is not stored whole", DOWNLOAD_AGAIN)
        elif merged.dtype not in LAYOUTS:
            raise DamagedDeltaError(f"the delta is damaged: {name} is coded as {merged.dtype}", DOWNLOAD_AGAIN)
        with self._lock:
            self._tensors[name] = tensor
        return tensor

    def payload(self, tensor: DeltaTensor, chunk: int) -> memoryview:
        """The streams of one chunk, their checksum checked."""
        sizes = tensor.head.stream_bytes.sum(axis=1, dtype=np.int64)
        start = int(sizes[:chunk].sum()) + tensor.payload_start - tensor.span.start
        payload = self._read(tensor.span, start, int(sizes[chunk]))
        if kernel.crc32(payload) != int(tensor.head.payload_crcs[chunk]):
            raise DamagedDeltaError(
                f"the delta is damaged: the checksum does not fit chunk {chunk} of {tensor.name}", DOWNLOAD_AGAIN
            )
        return memoryview(payload)

    def apply(
        self, tensor: DeltaTensor, chunk: int, target: memoryview | bytearray, *, base_checked: bool = False
    ) -> None:
        """Turn the base's bytes of one chunk into the merged ones, in place.

        Args:
            target: the bytes of this chunk in the base, writable, zeros where the base has no weight.
            base_checked: whether they were compared with the delta's checksums before; the result is checked anyway.

        Raises:
            WrongBaseError: if `target` are not the base's bytes; `target` is unchanged then.
            DamagedDeltaError: if the delta does not decode to the merged bytes; `target` is undefined then.
        """
        if not base_checked and kernel.crc32(target) != int(tensor.head.base_crcs[chunk]):
            raise WrongBaseError(
                f"the base's {tensor.name} is not the one that this delta was made for",
                f"give {self.base.id}" + (f" at revision {self.base.revision}" if self.base.revision else ""),
            )
        payload = self.payload(tensor, chunk)
        layout = LAYOUTS.get(tensor.merged.dtype)
        bits: Bits = np.frombuffer(target, layout.unsigned if layout and not tensor.head.raw else np.uint8)
        decode_chunk(bits, payload, tensor.head, chunk, layout or LAYOUTS["BF16"], tensor.name)
        if kernel.crc32(target) != int(tensor.head.merged_crcs[chunk]):
            raise DamagedDeltaError(
                f"the delta is damaged: chunk {chunk} of {tensor.name} decodes to other weights", DOWNLOAD_AGAIN
            )

    def check_headers(self, base: Checkpoint) -> list[str]:
        """Names of tensors that this base lacks, has in another dtype or shape, or has beyond the delta's base."""
        expected = self.files.manifest.base_tensors
        wrong = [
            name
            for name, tensor in expected.items()
            if name not in base.tensors
            or (base.tensors[name].dtype, base.tensors[name].shape) != (tensor.dtype, tensor.shape)
        ]
        return wrong + [name for name in base.tensors if name not in expected]

    def _read(self, span: TensorSpan, start: int, size: int) -> bytes:
        data = os.pread(self._descriptors[span.file], size, span.start + start)
        if len(data) != size:
            raise DamagedDeltaError(f"{span.file.name} is cut short at {span.name}", DOWNLOAD_AGAIN)
        return data


def load_delta(path: Path) -> Delta:
    """The delta at this path (file, index or folder), opened; its headers and manifest are checked.

    Raises:
        DamagedDeltaError: if there is none, or anything in its headers contradicts anything else.
        NewerFormatError: if it was written by a newer major version of the format.
    """
    return Delta(open_files(Path(path)))
