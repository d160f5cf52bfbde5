"""A damaged or hostile delta is refused with a clear error: never a wrong merge, a crash, a hang or a large allocation.

COGSYM_LONG_TESTS=1 runs 20,000 random mutations instead of a flip in every byte.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from delta_files import bf16, fine_tuned, small_base, write_file, write_folder

from toolkit.delta import extract, inspect, load_delta, merge, verify
from toolkit.delta.blob import HEAD
from toolkit.delta.container import MANIFEST
from toolkit.delta.safetensors_file import build_header, read_header
from toolkit.errors import CogsymError, DamagedDeltaError, NewerFormatError

LONG = os.environ.get("COGSYM_LONG_TESTS") == "1"
UP = "model.layers.0.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base and a delta that has levels, a prediction and a raw tensor in a few kilobytes."""
    folder = tmp_path_factory.mktemp("sound")
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.02, (60, 30)).astype(np.float32)
    change = np.outer(rng.normal(0, 4e-3, 60), rng.normal(0, 1, 30))
    change[7] = 0
    base = {"w": ("BF16", bf16(values)), "x": ("I32", np.arange(4, dtype=np.uint32)), "y": ("BF16", bf16(values[:2]))}
    trained = {"w": ("BF16", bf16(values + change)), "x": ("I32", np.arange(1, 5, dtype=np.uint32))}
    write_folder(folder / "base", base)
    write_file(folder / "trained.safetensors", trained)
    extract(folder / "base", folder / "trained.safetensors", folder / "delta.safetensors", threads=1)
    with load_delta(folder / "delta.safetensors") as opened:
        assert opened.tensor("w").head.factors is not None
        assert opened.tensor("x").head.raw
    return folder


def refused(path: Path, data: bytes, base: Path) -> None:
    path.write_bytes(data)
    with pytest.raises((DamagedDeltaError, NewerFormatError)):
        verify(path, base, full=True, threads=1)


def test_a_flip_in_any_byte_is_refused(sound: Path, tmp_path: Path) -> None:
    data = (sound / "delta.safetensors").read_bytes()
    chance = random.Random(0)
    path = tmp_path / "delta.safetensors"
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises((DamagedDeltaError, NewerFormatError)):
            verify(path, threads=1)


@pytest.mark.skipif(not LONG, reason="COGSYM_LONG_TESTS=1 runs these 20,000 mutations")
@pytest.mark.timeout(1800)
def test_twenty_thousand_mutations_are_refused(sound: Path, tmp_path: Path) -> None:
    data = (sound / "delta.safetensors").read_bytes()
    chance = random.Random(1)
    for _ in range(20_000):
        damaged = mutated(data, chance)
        if damaged != data:
            refused(tmp_path / "delta.safetensors", damaged, sound / "base")


def mutated(data: bytes, chance: random.Random) -> bytes:
    kind, start, stop = chance.randrange(6), *sorted(chance.sample(range(len(data)), 2))
    if kind == 0:
        return data[:start]
    if kind == 1:
        return data + chance.randbytes(chance.randrange(1, 40))
    if kind == 2:
        return data[:start] + data[stop:]
    if kind == 3:
        return data[:start] + chance.randbytes(stop - start) + data[stop:]
    if kind == 4:
        middle = (start + stop) // 2
        return data[:start] + data[middle:stop] + data[start:middle] + data[stop:]
    flipped = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        flipped[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    return bytes(flipped)


def test_random_mutations_are_refused(sound: Path, tmp_path: Path) -> None:
    data = (sound / "delta.safetensors").read_bytes()
    chance = random.Random(2)
    for _ in range(300):
        damaged = mutated(data, chance)
        if damaged != data:
            refused(tmp_path / "delta.safetensors", damaged, sound / "base")


def test_every_truncation_is_refused(sound: Path, tmp_path: Path) -> None:
    data = (sound / "delta.safetensors").read_bytes()
    path = tmp_path / "delta.safetensors"
    for length in [*range(0, len(data), 37), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(DamagedDeltaError):
            inspect(path)


class Forger:
    """Takes a delta apart and puts it together again with all checksums made to fit: the work of somebody hostile."""

    def __init__(self, path: Path) -> None:
        file = read_header(path, delta=True)
        data = path.read_bytes()
        self.metadata = dict(file.metadata)
        self.blobs = {s.name: bytearray(data[s.start : s.start + s.size_bytes]) for s in file.tensors}
        self.manifest = json.loads(zlib.decompress(self.blobs.pop(MANIFEST)))
        self.edit_header: Callable[[bytes], bytes] = lambda header: header

    def write(self, path: Path, packed: bytes | None = None) -> Path:
        packed = zlib.compress(json.dumps(self.manifest).encode()) if packed is None else packed
        blobs = {MANIFEST: packed} | self.blobs
        metadata = self.metadata | {"manifest_sha256": hashlib.sha256(packed).hexdigest(), "header_sha256": "0" * 64}
        entries = [(name, "U8", (len(blob),), len(blob)) for name, blob in blobs.items()]
        header = self.edit_header(build_header(entries, metadata)[8:])
        header = header.replace(b"0" * 64, hashlib.sha256(header).hexdigest().encode(), 1)
        path.write_bytes(len(header).to_bytes(8, "little") + header + b"".join(blobs.values()))
        return path

    def head(self, name: str, **fields: int) -> None:
        names = [
            "crc", "size", "columns", "rows_per_chunk", "n_chunks", "n_groups", "flags", "first", "n_contexts", "rank",
            "reserved", "row_bytes", "column_bytes", "left_bytes", "right_bytes", "scale_bytes",
        ]  # fmt: skip
        blob = self.blobs[name]
        values = dict(zip(names, HEAD.unpack_from(blob), strict=True)) | fields
        HEAD.pack_into(blob, 0, *values.values())
        size = min(int(values["size"]), len(blob))
        struct.pack_into("<I", blob, 0, zlib.crc32(blob[4:size]))


@pytest.fixture
def forger(sound: Path) -> Forger:
    return Forger(sound / "delta.safetensors")


def test_the_forger_writes_sound_deltas(sound: Path, forger: Forger, tmp_path: Path) -> None:
    verify(forger.write(tmp_path / "d.safetensors"), sound / "base", full=True)


@pytest.mark.parametrize(
    "fields",
    [
        {"columns": 0}, {"columns": 31}, {"columns": (1 << 32) - 1}, {"rows_per_chunk": 0},
        {"rows_per_chunk": (1 << 32) - 1}, {"n_chunks": 0}, {"n_chunks": (1 << 32) - 1}, {"n_groups": 0},
        {"n_groups": 65535}, {"flags": 0}, {"flags": 4}, {"flags": 15}, {"flags": 65535}, {"n_contexts": 0},
        {"n_contexts": 65535}, {"rank": 0}, {"rank": 65535}, {"reserved": 1}, {"row_bytes": (1 << 32) - 1},
        {"left_bytes": 0}, {"right_bytes": 3}, {"size": 0}, {"size": 20}, {"size": (1 << 32) - 1},
        {"first": -32768}, {"first": 32767},
    ],
    ids=str,
)  # fmt: skip
def test_a_forged_head_is_refused(sound: Path, forger: Forger, tmp_path: Path, fields: dict[str, int]) -> None:
    forger.head("w", **fields)
    with pytest.raises(DamagedDeltaError):
        verify(forger.write(tmp_path / "d.safetensors"), sound / "base", full=True, threads=1)


def test_forged_streams_never_merge(sound: Path, tmp_path: Path) -> None:
    """Streams changed at random, their checksums made to fit: what passes is harmless, for the digests say so."""
    chance, tried, stopped = random.Random(3), 0, 0
    for _ in range(4000 if LONG else 400):
        forger = Forger(sound / "delta.safetensors")
        blob = forger.blobs["w"]
        size = HEAD.unpack_from(blob)[1]
        position = chance.randrange(HEAD.size, len(blob))
        if size - 200 < position < size:
            continue  # the chunk table: covered by the forged heads
        blob[position] ^= chance.randrange(1, 256)
        n_groups = HEAD.unpack_from(blob)[5]
        (crc_place,) = [size - 4 * (3 + n_groups) + 8]  # one chunk: base, merged, payload, then the sizes
        struct.pack_into("<I", blob, crc_place, zlib.crc32(blob[size:]))
        forger.head("w")
        tried += 1
        try:
            verify(forger.write(tmp_path / "d.safetensors"), sound / "base", full=True, threads=1)
        except DamagedDeltaError:
            stopped += 1
    assert stopped > 0.8 * tried  # the others are bits that nobody reads, such as groups without a weight


def hostile(forger: Forger) -> dict[str, Callable[[Path], Path]]:
    """Deltas that ask for too much, contradict themselves, or lead elsewhere."""

    def with_manifest(**changes: Any) -> Callable[[Path], Path]:
        def write(path: Path) -> Path:
            forger.manifest["changed"]["w"] |= changes
            return forger.write(path)

        return write

    def with_header(old: bytes, new: bytes) -> Callable[[Path], Path]:
        def write(path: Path) -> Path:
            forger.edit_header = lambda header: header.replace(old, new, 1)
            return forger.write(path)

        return write

    def bomb(path: Path) -> Path:
        return forger.write(path, zlib.compress(b" " * 500_000_000, 9))

    def huge_length(path: Path) -> Path:
        path.write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
        return path

    def nested(path: Path) -> Path:
        text = b'{"a":' + b"[" * 2_000_000
        path.write_bytes(len(text).to_bytes(8, "little") + text)
        return path

    return {
        "huge shape": with_manifest(shape=[1 << 39, 1 << 39]),
        "negative shape": with_manifest(shape=[-60, -30]),
        "other shape": with_manifest(shape=[30, 60]),
        "other dtype": with_manifest(dtype="F32"),
        "unknown dtype": with_manifest(dtype="Q4"),
        "compression bomb": bomb,
        "huge header": huge_length,
        "deep header": nested,
        "duplicate name": with_header(b'"w":', b'"x":'),
        "overlap": with_header(b'"data_offsets":[0,', b'"data_offsets":[1,'),
        "huge offset": with_header(b'"data_offsets":[0,', b'"data_offsets":[99999999999999999999999,'),
        "shape of text": with_header(b'"shape":[', b'"shape":["a",'),
    }


NAMES = ["huge shape", "negative shape", "other shape", "other dtype", "unknown dtype", "compression bomb",
         "huge header", "deep header", "duplicate name", "overlap", "huge offset", "shape of text"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_delta_is_refused_in_little_memory(sound: Path, forger: Forger, tmp_path: Path, name: str) -> None:
    path = hostile(forger)[name](tmp_path / "d.safetensors")
    code = (
        "import sys; from pathlib import Path; from toolkit.delta import verify\n"
        "from toolkit.errors import DeltaError\n"
        "import re; peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "before = peak()\n"
        "try: verify(Path(sys.argv[1]), Path(sys.argv[2]), full=True, threads=1)\n"
        "except DeltaError: pass\n"
        "else: sys.exit('it was taken for sound')\n"
        "grown = peak() - before\n"
        "sys.exit(f'{grown} KB were needed' if grown > 200_000 else 0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path), str(sound / "base")], check=True, timeout=60)


def test_a_newer_major_version_is_refused_and_a_newer_minor_one_is_read(
    sound: Path, forger: Forger, tmp_path: Path
) -> None:
    forger.metadata["format_version"] = "2.0"
    with pytest.raises(NewerFormatError, match=r"format version 2\.0, this program reads up to 1\.0"):
        verify(forger.write(tmp_path / "d.safetensors"))
    forger.metadata["format_version"] = "1.7"
    verify(forger.write(tmp_path / "d.safetensors"), sound / "base", full=True)


def test_another_safetensors_file_is_no_delta(sound: Path) -> None:
    with pytest.raises(DamagedDeltaError, match="is not a cogsym delta"):
        inspect(sound / "base" / "model.safetensors")


def test_a_missing_delta_is_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedDeltaError, match="there is no delta at"):
        inspect(tmp_path / "nothing.safetensors")


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    base = small_base()
    write_folder(tmp_path / "base", base)
    trained = write_file(
        tmp_path / "t.safetensors", fine_tuned(base, [UP, "lm_head.weight", "model.embed_tokens.weight"])
    )
    extract(tmp_path / "base", trained, tmp_path / "delta.safetensors", shard_bytes=4000)
    return tmp_path / "delta.safetensors.index.json"


@pytest.mark.parametrize(
    "target", ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", ".hidden.safetensors", "C:x.safetensors",
               "..\\x.safetensors", "nul\0.safetensors", "model.bin"]
)  # fmt: skip
def test_an_index_cannot_lead_out_of_its_folder(sharded: Path, target: str) -> None:
    index = json.loads(sharded.read_text())
    index["weight_map"][UP] = target
    sharded.write_text(json.dumps(index))
    with pytest.raises(DamagedDeltaError, match="points outside of its folder"):
        inspect(sharded)


def test_mixed_or_missing_shards_are_refused(sharded: Path) -> None:
    shards = sorted(sharded.parent.glob("delta-*.safetensors"))
    first, second = (path.read_bytes() for path in shards[:2])
    shards[0].write_bytes(second)
    with pytest.raises(DamagedDeltaError, match=r"it is part 2/\d, not part 1/"):
        inspect(sharded)
    shards[0].write_bytes(first)
    inspect(sharded)
    shards[1].unlink()
    with pytest.raises(DamagedDeltaError, match="cannot be read"):
        inspect(sharded)


def test_swapped_chunks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.delta.comparison.CHUNK_WEIGHTS", 1 << 10)
    bits = bf16(np.random.default_rng(0).normal(0, 0.02, (64, 64)))
    base = write_folder(tmp_path / "base", {"w": ("BF16", bits)})
    # Every chunk the same, so that all streams have the same length and only their places differ.
    trained = write_file(
        tmp_path / "t.safetensors", {"w": ("BF16", bits + np.arange(4, dtype=np.uint16).repeat(1024).reshape(64, 64))}
    )
    delta = tmp_path / "d.safetensors"
    extract(base, trained, delta)
    with load_delta(delta) as opened:
        tensor = opened.tensor("w")
        sizes = tensor.head.stream_bytes.sum(axis=1)
        places = [tensor.payload_start + int(sizes[:chunk].sum()) for chunk in range(tensor.head.n_chunks)]
    assert len(sizes) == 4
    assert sizes[1] == sizes[2]
    data, size = bytearray(delta.read_bytes()), int(sizes[1])
    one, two = places[1], places[2]
    data[one : one + size], data[two : two + size] = data[two : two + size], data[one : one + size]
    assert data != delta.read_bytes()
    delta.write_bytes(data)
    with pytest.raises(DamagedDeltaError, match="checksum does not fit chunk 1 of w"):
        merge(delta, base, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_damage_is_reported_as_an_expected_error(sound: Path, tmp_path: Path) -> None:
    data = bytearray((sound / "delta.safetensors").read_bytes())
    data[-1] ^= 1
    path = tmp_path / "d.safetensors"
    path.write_bytes(data)
    with pytest.raises(CogsymError, match="the delta is damaged: the checksum does not fit chunk 0 of x") as caught:
        verify(path)
    assert caught.value.hint == "download it again"
