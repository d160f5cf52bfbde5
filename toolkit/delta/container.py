"""The delta on disk: safetensors files of blobs and a manifest, written all or nothing, every header byte checked."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.delta.checkpoint import is_plain_name
from toolkit.delta.drafts import draft_of, remove_abandoned
from toolkit.delta.safetensors_file import ITEM_BYTES, SafetensorsFile, TensorSpan, build_header, read_header
from toolkit.errors import DamagedDeltaError, NewerFormatError, OutputError
from toolkit.records import BaseInfo

FORMAT = "cogsym-delta"
FORMAT_VERSION = "1.0"
MANIFEST = "cogsym.manifest"
MAX_MANIFEST_BYTES = 16_000_000
SHARD_BYTES = 5_000_000_000
DOWNLOAD_AGAIN = "download it again"


class BaseTensor(BaseModel):
    """A tensor of the base, as a reader must find it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dtype: str
    shape: tuple[int, ...]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    crc32: int = Field(ge=0, lt=1 << 32)


class ChangedTensor(BaseModel):
    """A tensor that the delta holds, as it is after merging."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dtype: str
    shape: tuple[int, ...]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    changed: int = Field(ge=0, description="weights whose bits differ")
    rms: float = Field(allow_inf_nan=True, description="root mean square of new minus old value")

    @property
    def weights(self) -> int:
        weights = 1
        for size in self.shape:
            weights *= size
        return weights


class Manifest(BaseModel):
    """What the delta was made from and what it makes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: BaseInfo
    base_tensors: dict[str, BaseTensor]
    changed: dict[str, ChangedTensor]


@dataclass(frozen=True)
class DeltaFiles:
    """An opened delta: its headers and manifest are checked, its blobs not yet read."""

    path: Path  # the file, or the index where it is sharded
    files: tuple[SafetensorsFile, ...]
    manifest: Manifest = field(repr=False)
    spans: dict[str, TensorSpan] = field(repr=False)
    version: str
    base_fingerprint: str
    merged_fingerprint: str

    @property
    def size_bytes(self) -> int:
        paths = {file.path for file in self.files} | {self.path}
        return sum(path.stat().st_size for path in paths)


def find_delta(path: Path) -> Path:
    """The delta's file or index, for a path to it, to its folder, or to the file name that was asked for when writing.

    Raises:
        DamagedDeltaError: if there is none.
    """
    path = Path(path)
    candidates = [path / "delta.safetensors", path / "delta.safetensors.index.json"] if path.is_dir() else [path]
    candidates.append(path.with_name(path.name + ".index.json"))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise DamagedDeltaError(f"there is no delta at {path}", "give a .safetensors file, or the folder that holds one")


def open_files(path: Path) -> DeltaFiles:
    """The delta at this path, headers and manifest checked.

    Raises:
        DamagedDeltaError: if anything in them contradicts anything else.
        NewerFormatError: if it was written by a newer major version of the format.
    """
    path = find_delta(path)
    index: dict[str, str] | None = None
    paths = [path]
    if path.name.endswith(".json"):
        index = _read_index(path)
        paths = [path.with_name(name) for name in sorted(set(index.values()))]
    files = tuple(read_header(file, delta=True) for file in paths)
    for number, file in enumerate(files, 1):
        _check_header(file, number, len(files), files[0])
    spans: dict[str, TensorSpan] = {}
    for file in files:
        for span in file.tensors:
            if span.name in spans or span.dtype != "U8" or len(span.shape) != 1:
                raise _damaged(file.path, f"{span.name!r} is not one list of bytes")
            spans[span.name] = span
    if index is not None and index != {name: span.file.name for name, span in spans.items()}:
        raise _damaged(path, "the index does not list what the files hold")
    metadata = files[0].metadata
    manifest = _read_manifest(files[0].path, spans.pop(MANIFEST, None), metadata)
    if set(spans) != set(manifest.changed):
        raise _damaged(path, "the tensors are not those of the manifest")
    base = metadata["base_fingerprint"], metadata["merged_fingerprint"]
    return DeltaFiles(path, files, manifest, spans, metadata["format_version"], *base)


def _damaged(path: Path, what: str) -> DamagedDeltaError:
    return DamagedDeltaError(f"{path.name} is damaged: {what}", DOWNLOAD_AGAIN)


def _check_header(file: SafetensorsFile, number: int, total: int, first: SafetensorsFile) -> None:
    metadata = file.metadata
    if metadata.get("format") != FORMAT:
        raise DamagedDeltaError(f"{file.path.name} is not a cogsym delta", "give a delta.safetensors")
    major = metadata.get("format_version", "").split(".")[0]
    if not major.isdecimal() or len(major) > 6:
        raise _damaged(file.path, "it has no format version")
    if int(major) > int(FORMAT_VERSION.split(".")[0]):
        raise NewerFormatError(
            f"{file.path.name} has format version {metadata['format_version']}, this program reads up to "
            f"{FORMAT_VERSION}",
            "pip install --upgrade cogsym-toolkit",
        )
    declared = metadata.get("header_sha256", "")
    if len(declared) != 64 or header_digest(file.header, declared) != declared:
        raise _damaged(file.path, "the checksum does not fit the header")
    if metadata.get("shard") != f"{number}/{total}":
        raise _damaged(file.path, f"it is part {metadata.get('shard')}, not part {number}/{total}")
    for key in ("base_fingerprint", "merged_fingerprint", "manifest_sha256"):
        if metadata.get(key) != first.metadata.get(key) or len(metadata.get(key, "")) != 64:
            raise _damaged(file.path, f"{key} is missing, or its parts belong to different deltas")


def header_digest(header: bytes, declared: str) -> str:
    """sha256 of the header in which the digest itself reads as 64 zeros."""
    return hashlib.sha256(header.replace(declared.encode(), b"0" * 64, 1)).hexdigest()


def _read_index(path: Path) -> dict[str, str]:
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ValueError("it is too large")
        weight_map = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        index = {name: file for name, file in weight_map.items() if isinstance(file, str)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        raise _damaged(path, str(cause)) from cause
    if len(index) != len(weight_map) or not index:
        raise _damaged(path, "it does not map names to files")
    for file in index.values():
        if not is_plain_name(file) or not file.endswith(".safetensors"):
            raise DamagedDeltaError(f"{path.name} points outside of its folder: {file!r}", "do not use this delta")
    return index


def _read_manifest(path: Path, span: TensorSpan | None, metadata: dict[str, str]) -> Manifest:
    if span is None or span.file != path or span.size_bytes > MAX_MANIFEST_BYTES:
        raise _damaged(path, "it has no manifest")
    with open(path, "rb") as file:
        file.seek(span.start)
        packed = file.read(span.size_bytes)
    if hashlib.sha256(packed).hexdigest() != metadata["manifest_sha256"]:
        raise _damaged(path, "the checksum does not fit the manifest")
    try:
        inflater = zlib.decompressobj()
        text = inflater.decompress(packed, MAX_MANIFEST_BYTES)
        if not inflater.eof or inflater.unused_data:
            raise ValueError("it is too large or cut short")
        manifest = Manifest.model_validate_json(text)
    except (zlib.error, ValidationError, ValueError) as cause:
        raise _damaged(path, f"the manifest cannot be read: {str(cause)[:200]}") from cause
    shapes = [(name, t.dtype, t.shape) for name, t in manifest.base_tensors.items()]
    shapes += [(name, t.dtype, t.shape) for name, t in manifest.changed.items()]
    for name, dtype, shape in shapes:
        if dtype not in ITEM_BYTES or any(not 0 <= size < 1 << 40 for size in shape):
            raise _damaged(path, f"{name!r} has a dtype or shape that cannot be")
    return manifest


def pack_manifest(manifest: Manifest) -> bytes:
    return zlib.compress(json.dumps(manifest.model_dump(mode="json"), separators=(",", ":")).encode("utf-8"), 9)


@dataclass(frozen=True)
class Spooled:
    """A finished blob that waits in the spool file for its place in the delta."""

    name: str
    start: int
    size_bytes: int


def write_delta(
    out: Path,
    spool: Any,
    blobs: list[Spooled],
    manifest: Manifest,
    fingerprints: tuple[str, str],
    *,
    shard_bytes: int = SHARD_BYTES,
) -> Path:
    """Assemble the delta from the spool file, all or nothing.

    Returns:
        The path of the file, or of the index where the delta had to be sharded.
    """
    packed = pack_manifest(manifest)
    shards: list[list[Spooled]] = [[]]
    filled = len(packed)
    for blob in sorted(blobs, key=lambda blob: blob.name):
        if shards[-1] and filled + blob.size_bytes > shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append(blob)
        filled += blob.size_bytes
    stem, total = out.name.removesuffix(".safetensors"), len(shards)
    names = [out.name] if total == 1 else [f"{stem}-{i:05d}-of-{total:05d}.safetensors" for i in range(1, total + 1)]
    weight_map: dict[str, str] = {}
    drafts: list[tuple[Path, Path]] = []
    try:
        for number, (name, shard) in enumerate(zip(names, shards, strict=True), 1):
            metadata = {
                "format": FORMAT, "format_version": FORMAT_VERSION, "shard": f"{number}/{total}",
                "base": manifest.base.id, "base_revision": manifest.base.revision or "",
                "base_fingerprint": fingerprints[0], "merged_fingerprint": fingerprints[1],
                "manifest_sha256": hashlib.sha256(packed).hexdigest(), "header_sha256": "0" * 64,
            }  # fmt: skip
            draft = draft_of(out.with_name(name))
            drafts.append((draft, out.with_name(name)))
            remove_abandoned(out.with_name(name))
            _write_shard(draft, spool, shard, packed if number == 1 else None, metadata)
            weight_map |= {blob.name: name for blob in shard} | ({MANIFEST: name} if number == 1 else {})
        target = out
        if total > 1:
            target = out.with_name(out.name + ".index.json")
            draft = draft_of(target)
            drafts.append((draft, target))
            with open(draft, "w", encoding="utf-8") as file:
                index = {"metadata": {"format": FORMAT}, "weight_map": dict(sorted(weight_map.items()))}
                file.write(json.dumps(index, indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
        for draft, final in drafts:  # the index comes last: without it, shards are not a delta
            os.replace(draft, final)
        sync_folder(out.parent)
    except OSError as cause:
        raise OutputError(
            f"{out} cannot be written: {cause.strerror or cause}", "free some space, or choose another place"
        ) from cause
    finally:
        for draft, _ in drafts:
            draft.unlink(missing_ok=True)
    return target


def _write_shard(
    draft: Path, spool: Any, blobs: list[Spooled], manifest: bytes | None, metadata: dict[str, str]
) -> None:
    entries: list[tuple[str, str, tuple[int, ...], int]] = [
        (blob.name, "U8", (blob.size_bytes,), blob.size_bytes) for blob in blobs
    ]
    if manifest is not None:
        entries.insert(0, (MANIFEST, "U8", (len(manifest),), len(manifest)))
    header = build_header(entries, metadata)
    metadata["header_sha256"] = hashlib.sha256(header[8:]).hexdigest()
    with open(draft, "wb") as file:
        file.write(build_header(entries, metadata))
        file.write(manifest or b"")
        for blob in blobs:
            spool.seek(blob.start)
            left = blob.size_bytes
            while left:
                block = spool.read(min(left, 1 << 22))
                if not block:
                    raise OSError("the temporary file was cut short")
                file.write(block)
                left -= len(block)
        file.flush()
        os.fsync(file.fileno())


def write_exactly(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of `data` at this offset of an open file."""
    done = 0
    while done < len(data):
        done += os.pwrite(descriptor, data[done:], offset + done)


def sync_folder(folder: Path) -> None:
    """Make renames in this folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
