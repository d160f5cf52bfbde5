"""toolkit/delta/FORMAT.md: a reader written from the page alone merges to the same bytes."""

from __future__ import annotations

from pathlib import Path

import format_reader
import pytest
from delta_files import write_file
from test_delta_golden import GOLDEN, golden_base, golden_trained

from toolkit.delta import base_fingerprint, extract, merge


@pytest.mark.parametrize("source", ["golden", "written now"])
def test_a_reader_written_from_the_page_alone_merges_the_same(source: str, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    base = write_file(tmp_path / "base" / "model.safetensors", golden_base())
    delta = GOLDEN / "delta-1.0.safetensors"
    if source == "written now":
        delta = tmp_path / "delta.safetensors"
        extract(base, write_file(tmp_path / "trained.safetensors", golden_trained()), delta)
    tensors = format_reader.merged(delta, base)
    merge(delta, tmp_path / "base", tmp_path / "merged")
    assert format_reader.fingerprint(tensors) == base_fingerprint(tmp_path / "merged")
    trained = golden_trained()
    assert set(tensors) == set(golden_base()) | set(trained)
    assert all(tensors[name][2] == bits.tobytes() for name, (_, bits) in trained.items())
