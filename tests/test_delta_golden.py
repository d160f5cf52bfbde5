"""Deltas that were written once must be readable for ever: files in tests/golden are never made again.

python tests/test_delta_golden.py    writes the golden delta of the current version, where there is none
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from delta_files import Tensors, read_tensors, write_file, write_folder

from toolkit.delta import base_fingerprint, extract, inspect, merge, verify

GOLDEN = Path(__file__).parent / "golden"


def noise(count: int, seed: int) -> np.ndarray:
    """Pseudo-random bits that no library can change under our feet: a counter through sha256."""
    blocks = -(-count // 16)
    data = b"".join(hashlib.sha256(f"{seed} {block}".encode()).digest() for block in range(blocks))
    return np.frombuffer(data, "<u2")[:count].copy()


def golden_base() -> Tensors:
    """Weights of every coded dtype, made of integer arithmetic alone."""
    sizes = (96, 64)
    bits = noise(96 * 64, 1).reshape(sizes)
    bf16 = (bits & 0x80FF) | (0x3A00 + (bits & 0x0300))
    half = (bits & 0x83FF) | 0x2400
    single = (bf16.astype(np.uint32) << 16) | noise(96 * 64, 2).reshape(sizes)
    return {
        "a.bf16": ("BF16", bf16),
        "b.f16": ("F16", half),
        "c.f32": ("F32", single),
        "d.norm": ("BF16", bf16[0]),
        "e.untouched": ("BF16", bf16[:3]),
        "h.rank": ("BF16", 0x3C20 + (bits & 0x3F)),
        "f.special": ("BF16", np.arange(0x7F00, 0x8100, dtype=np.uint16).reshape(16, 32)),
    }


def golden_trained() -> Tensors:
    base = golden_base()
    bf16, half, single = (base[name][1].copy() for name in ("a.bf16", "b.f16", "c.f32"))
    row, column = np.arange(96)[:, None] - 48, np.arange(64)[None, :] - 32
    bf16 += noise(96 * 64, 3).reshape(96, 64) & 3
    rank_one = base["h.rank"][1] + (row * column // 60).astype(np.uint16) + (noise(96 * 64, 7).reshape(96, 64) & 1)
    half[::5] += noise(20 * 64, 4).reshape(20, 64) & 7  # some rows only
    single[:, ::7] += noise(96 * 10, 5).reshape(96, 10)  # some columns only
    return {
        "a.bf16": ("BF16", bf16),
        "b.f16": ("F16", half),
        "c.f32": ("F32", single),
        "d.norm": ("BF16", base["d.norm"][1] ^ 1),
        "f.special": ("BF16", base["f.special"][1][::-1].copy()),
        "g.new": ("BF16", noise(60, 6)),
        "h.rank": ("BF16", rank_one),
    }


def digest(path: Path) -> str:
    return hashlib.sha256(repr(sorted(read_tensors(path).items())).encode()).hexdigest()


@pytest.mark.parametrize("facts", sorted(GOLDEN.glob("delta-*.json")), ids=lambda path: path.stem)
def test_a_golden_delta_still_merges_to_the_same(facts: Path, tmp_path: Path) -> None:
    delta, known = facts.with_suffix(".safetensors"), json.loads(facts.read_text())
    assert hashlib.sha256(delta.read_bytes()).hexdigest() == known["sha256"], "a golden file must never change"
    base = write_folder(tmp_path / "base", golden_base())
    assert base_fingerprint(base) == known["base_fingerprint"]
    verify(delta, base, full=True)
    merge(delta, base, tmp_path / "merged")
    assert digest(tmp_path / "merged") == known["merged"]
    assert base_fingerprint(tmp_path / "merged") == known["merged_fingerprint"]
    info = inspect(delta)
    assert info.format_version == known["format_version"]
    assert {change.name: change.coding for change in info.tensors} == known["coding"]


def test_there_is_a_golden_delta() -> None:
    assert list(GOLDEN.glob("delta-1.0*.json"))


def write_golden() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = write_folder(folder / "base", golden_base())
        trained = write_file(folder / "trained.safetensors", golden_trained())
        out = GOLDEN / "delta-1.0.safetensors"
        if out.exists():
            raise SystemExit(f"{out} exists, and is kept as it is")
        info = extract(base, trained, out)
        merge(out, base, folder / "merged")
        known = {
            "format_version": info.format_version,
            "sha256": info.sha256,
            "base_fingerprint": info.base_fingerprint,
            "merged_fingerprint": info.merged_fingerprint,
            "merged": digest(folder / "merged"),
            "coding": {change.name: change.coding for change in info.tensors},
        }
        out.with_suffix(".json").write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    write_golden()
