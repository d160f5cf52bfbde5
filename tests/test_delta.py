"""extract and merge are inverse to each other, to the bit, for whatever a checkpoint may hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from delta_files import (
    Tensors,
    as_read,
    bf16,
    bits_dtype,
    fine_tuned,
    read_tensors,
    small_base,
    write_file,
    write_folder,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.delta import base_fingerprint, extract, inspect, kernel, load_delta, merge, read_base_info, verify
from toolkit.delta.kernel_compiled import library
from toolkit.errors import BaseModelError, DeltaError, OutputError

UP = "model.layers.0.mlp.up_proj.weight"
DOWN = "model.layers.1.mlp.down_proj.weight"


@pytest.fixture(params=["compiled", "numpy"])
def each_kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "compiled" and library() is None:
        pytest.skip("the compiled kernel was not built here: no C compiler")
    monkeypatch.setenv("COGSYM_DELTA_KERNEL", request.param)
    return str(request.param)


def round_trip(folder: Path, base: Tensors, trained: Tensors, shards: int = 1) -> Path:
    """Extract, verify in full, merge, compare every byte, extract again, compare the deltas; returns the delta."""
    before = write_folder(folder / "base", base, shards)
    after = write_file(folder / "trained.safetensors", trained)
    delta = folder / "delta.safetensors"
    info = extract(before, after, delta, threads=1)
    assert verify(delta, before, full=True, threads=1).merged_checked
    merge(delta, before, folder / "merged", threads=2)
    assert read_tensors(folder / "merged") == as_read(base) | as_read(trained)
    assert base_fingerprint(before) == info.base_fingerprint
    assert base_fingerprint(folder / "merged") == info.merged_fingerprint
    again = folder / "again.safetensors"
    extract(before, folder / "merged", again, threads=2)
    assert again.read_bytes() == delta.read_bytes()
    return delta


def values_of(dtype: str, shape: tuple[int, ...], kind: str, rng: np.random.Generator) -> np.ndarray:
    """Bit patterns: any at all, or those of normal weights."""
    kinds = bits_dtype(dtype)
    if kind == "any bits" or dtype not in ("BF16", "F16", "F32"):
        return (
            rng.integers(0, 1 << (8 * kinds.itemsize), shape, np.uint64, endpoint=False).astype(kinds)
            if (kinds.itemsize < 8)
            else rng.integers(0, np.iinfo(np.uint64).max, shape, np.uint64)
        )
    weights = rng.normal(0, 0.02, shape).astype(np.float32)
    if dtype == "BF16":
        return bf16(weights)
    return weights.astype(np.float16).view(np.uint16) if dtype == "F16" else weights.view(np.uint32)


def changed_from(bits: np.ndarray, how: str, rng: np.random.Generator) -> np.ndarray:
    after = bits.copy()
    if not bits.size:
        return after
    noise = rng.integers(-9, 10, bits.shape).astype(np.int64).astype(bits.dtype)
    if how == "all":
        after += noise
    elif how == "one":
        after.reshape(-1)[rng.integers(bits.size)] ^= 1
    elif how == "rows" and bits.ndim:
        after[:: max(2, len(bits) // 2)] += noise[:: max(2, len(bits) // 2)]
    elif how == "columns" and bits.ndim:
        after[..., ::3] += noise[..., ::3]
    elif how == "other":
        after = rng.permutation(bits.reshape(-1)).reshape(bits.shape)
    elif how == "more rows" and bits.ndim:
        after = np.concatenate([after + noise, after[:1]])
    elif how == "fewer rows" and bits.ndim:
        after = after[:-1] + noise[:-1]
    return after.copy(order="C")


shapes = st.one_of(
    st.tuples(), st.tuples(st.integers(0, 300)), st.tuples(st.integers(0, 70), st.integers(0, 40)),
    st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
)  # fmt: skip
tensor = st.tuples(
    st.sampled_from(["BF16", "BF16", "F16", "F32", "F64", "I32", "U8", "BOOL"]),
    shapes,
    st.sampled_from(["any bits", "weights"]),
    st.sampled_from(["none", "all", "one", "rows", "columns", "other", "more rows", "fewer rows", "absent in base"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.lists(tensor, min_size=1, max_size=5), seed=st.integers(0, 1 << 30), shards=st.integers(1, 3))
def test_any_change_of_anything_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, tuple[int, ...], str, str]], seed: int, shards: int
) -> None:
    rng = np.random.default_rng(seed)
    base: Tensors = {f"pad.{i}": ("U8", np.zeros(3, np.uint8)) for i in range(3)}
    trained: Tensors = {"always": ("BF16", values_of("BF16", (3,), "weights", rng))}
    for number, (dtype, shape, kind, how) in enumerate(drawn):
        bits = values_of(dtype, shape, kind, rng)
        if how != "absent in base":
            base[f"tensor.{number}"] = dtype, bits
        trained[f"tensor.{number}"] = dtype, changed_from(bits, how, rng)
    round_trip(tmp_path_factory.mktemp("delta"), base, trained, shards)


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_every_special_value_survives(tmp_path: Path, dtype: str, each_kernel: str) -> None:
    rng = np.random.default_rng(0)
    everything = np.arange(1 << 16, dtype=np.uint32)  # +-0, subnormals, infinities, every NaN
    bits = (
        everything.astype(np.uint16)
        if dtype != "F32"
        else everything << 16 | rng.integers(0, 1 << 16, 1 << 16, np.uint32)
    )
    base = {"w": (dtype, bits.reshape(256, 256))}
    round_trip(tmp_path, base, {"w": (dtype, rng.permutation(bits).reshape(256, 256))})


def low_rank(rows: int, columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Base and trained values whose difference lies along few directions, with ordinary noise."""
    rng = np.random.default_rng(seed)
    base = rng.normal(0, 0.02, (rows, columns)).astype(np.float32)
    change = rng.normal(0, 1, (rows, 3)) @ rng.normal(0, 1, (3, columns)) + rng.normal(0, 0.3, (rows, columns))
    return base, (base + 3e-4 * change).astype(np.float32)


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_a_low_rank_change_is_predicted_and_exact(tmp_path: Path, dtype: str, each_kernel: str) -> None:
    to_bits = {"BF16": bf16, "F16": lambda v: v.astype(np.float16).view(np.uint16), "F32": lambda v: v.view(np.uint32)}[
        dtype
    ]
    before, after = (to_bits(values) for values in low_rank(500, 384))
    before[3, :7] = to_bits(np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, 6e-8], np.float32))
    after[5, :4] = to_bits(np.array([np.nan, np.inf, -0.0, 1e-41], np.float32))
    delta = round_trip(tmp_path, {"w": (dtype, before)}, {"w": (dtype, after)})
    (change,) = inspect(delta).tensors
    assert "rank" in change.coding


def test_prediction_makes_a_low_rank_change_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = (bf16(values) for values in low_rank(500, 384))
    size = round_trip(tmp_path / "a", {"w": ("BF16", before)}, {"w": ("BF16", after)}).stat().st_size
    monkeypatch.setattr("toolkit.delta.extraction.fit", lambda *_: [])
    plain = round_trip(tmp_path / "b", {"w": ("BF16", before)}, {"w": ("BF16", after)}).stat().st_size
    assert size < 0.8 * plain


def test_both_kernels_write_the_same_bytes_and_read_each_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if library() is None:
        pytest.skip("the compiled kernel was not built here: no C compiler")
    before, after = low_rank(700, 513, seed=4)
    rng = np.random.default_rng(3)
    row_scale = np.exp(rng.normal(0, 1.5, (700, 1))).astype(np.float32)
    base: Tensors = {"a": ("BF16", bf16(before)), "b": ("BF16", bf16(before)), "c": ("F32", before.view(np.uint32))}
    trained: Tensors = {
        "a": ("BF16", bf16(after)),
        "b": ("BF16", bf16(before + 1e-4 * row_scale * rng.normal(0, 1, before.shape))),
        "c": ("F32", (before * np.float32(1.001)).view(np.uint32)),
    }
    deltas = []
    for name, other in (("compiled", "numpy"), ("numpy", "compiled")):
        monkeypatch.setenv("COGSYM_DELTA_KERNEL", name)
        assert kernel.name() == name
        folder = tmp_path / name
        write_folder(folder / "base", base)
        extract(folder / "base", write_file(folder / "trained.safetensors", trained), folder / "d.safetensors")
        monkeypatch.setenv("COGSYM_DELTA_KERNEL", other)
        verify(folder / "d.safetensors", folder / "base", full=True)
        deltas.append((folder / "d.safetensors").read_bytes())
    assert deltas[0] == deltas[1]


def test_crc32_is_zlibs(each_kernel: str) -> None:
    import zlib

    data = np.random.default_rng(0).integers(0, 256, 5000, np.uint8)
    for start, stop in [(0, 0), (0, 1), (3, 130), (1, 128), (0, 4096), (7, 4999)]:
        part = np.ascontiguousarray(data[start:stop])
        assert kernel.crc32(part) == zlib.crc32(part)
        assert kernel.crc32(part.tobytes(), 12345) == zlib.crc32(part, 12345)


def test_equal_tensors_are_not_stored(tmp_path: Path) -> None:
    base = small_base()
    delta = round_trip(tmp_path, base, fine_tuned(base, [UP]))
    assert [change.name for change in inspect(delta).tensors] == [UP]


def test_unchanged_rows_and_columns_cost_nearly_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bits = bf16(rng.normal(0, 0.02, (2000, 256)))
    rows, columns = bits.copy(), bits.copy()
    rows[::50] = rng.permutation(rows[::50])  # 40 rows replaced by others: nothing to gain but their place
    columns[:, ::64] = bf16(rng.normal(0, 0.02, (2000, 4)))
    base: Tensors = {"rows": ("BF16", bits), "columns": ("BF16", bits)}
    delta = round_trip(tmp_path, base, {"rows": ("BF16", rows), "columns": ("BF16", columns)})
    sizes = {change.name: change.size_bytes for change in inspect(delta).tensors}
    assert sizes["rows"] < 2 * 40 * 256 + 1500
    assert sizes["columns"] < 2 * 2000 * 4 + 1500


def test_noise_is_stored_raw_rather_than_larger(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old, new = rng.integers(0, 1 << 16, (2, 64, 64), np.uint64).astype(np.uint16)
    delta = round_trip(tmp_path, {"w": ("BF16", old)}, {"w": ("BF16", new)})
    (change,) = inspect(delta).tensors
    assert change.coding == "raw"
    assert change.size_bytes < 2 * 64 * 64 + 100


def test_new_vocabulary_rows_and_an_untied_head_are_merged(tmp_path: Path) -> None:
    base = small_base()
    rng = np.random.default_rng(0)
    trained = dict(base)
    grown = np.concatenate([base["model.embed_tokens.weight"][1], bf16(rng.normal(0, 0.02, (7, 48)))])
    trained["model.embed_tokens.weight"] = "BF16", grown
    trained["lm_head.bias"] = "BF16", bf16(rng.normal(0, 0.02, 71))
    round_trip(tmp_path, base, trained, shards=3)


def test_several_chunks_and_long_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.delta.comparison.CHUNK_WEIGHTS", 4096)
    rng = np.random.default_rng(0)
    base = {
        "w": ("BF16", bf16(rng.normal(0, 0.02, (300, 100)))),
        "long": ("BF16", bf16(rng.normal(0, 0.02, (2, 9001)))),
    }
    delta = round_trip(tmp_path, base, fine_tuned(base, ["w", "long"]))
    with load_delta(delta) as opened:
        assert opened.tensor("w").head.n_chunks == 8
        assert opened.tensor("long").head.n_chunks == 5


def test_a_large_delta_is_sharded_with_an_index(tmp_path: Path) -> None:
    base = small_base()
    trained = fine_tuned(base, [UP, DOWN, "lm_head.weight"])
    before, after = write_folder(tmp_path / "base", base), write_file(tmp_path / "t.safetensors", trained)
    info = extract(before, after, tmp_path / "delta.safetensors", shard_bytes=8000)
    assert info.file == "delta.safetensors.index.json"
    assert len(list(tmp_path.glob("delta-*-of-*.safetensors"))) >= 2
    assert info.size_bytes == sum(path.stat().st_size for path in tmp_path.glob("delta*"))
    for path in (tmp_path, tmp_path / "delta.safetensors", tmp_path / info.file):
        assert inspect(path) == info
    merge(tmp_path, before, tmp_path / "merged")
    assert read_tensors(tmp_path / "merged") == as_read(trained)


def test_the_record_says_what_changed(tmp_path: Path) -> None:
    base = small_base()
    delta = round_trip(tmp_path, base, fine_tuned(base, [UP, "model.norm.weight"]))
    info = inspect(delta)
    up, norm = info.tensors
    assert (up.layer, norm.layer) == (0, None)
    assert up.weights == 144 * 48
    assert 0.5 * up.weights < up.changed < up.weights
    assert up.rms == pytest.approx(2e-4, rel=0.1)
    assert info.base.id == "base"
    assert info.base.architecture == "LlamaForCausalLM"
    assert info.size_bytes == delta.stat().st_size


def test_a_fingerprint_does_not_depend_on_the_files(tmp_path: Path) -> None:
    base = small_base()
    one, three = write_folder(tmp_path / "1", base), write_folder(tmp_path / "3", base, shards=3)
    assert base_fingerprint(one) == base_fingerprint(three)
    other = write_folder(tmp_path / "other", fine_tuned(base, [UP]))
    assert base_fingerprint(one) != base_fingerprint(other)


def test_base_info_comes_from_headers_alone(tmp_path: Path) -> None:
    info = read_base_info(write_folder(tmp_path / "model", small_base()), "org/model", "abc")
    assert (info.id, info.revision, info.dtype, info.n_layers) == ("org/model", "abc", "BF16", 2)
    assert info.n_weights * 2 == info.size_bytes


def test_the_layers_of_a_decoder_among_other_models_are_counted(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "model", small_base())
    config = {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "text_config": {"num_hidden_layers": 34},
        "vision_config": {"num_hidden_layers": 27},
    }
    (folder / "config.json").write_text(json.dumps(config))
    assert read_base_info(folder).n_layers == 34


def test_extract_refuses_another_dtype(tmp_path: Path) -> None:
    base = write_file(tmp_path / "a.safetensors", {"w": ("BF16", np.zeros((2, 2), np.uint16))})
    other = write_file(tmp_path / "b.safetensors", {"w": ("F32", np.zeros((2, 2), np.uint32))})
    with pytest.raises(DeltaError, match=r"another dtype .*w, F32, base BF16"):
        extract(base, other, tmp_path / "d.safetensors")


def test_extract_refuses_when_nothing_changed(tmp_path: Path) -> None:
    base = write_folder(tmp_path / "base", small_base())
    with pytest.raises(DeltaError, match="nothing changed"):
        extract(base, base, tmp_path / "d.safetensors")
    assert not list(tmp_path.glob("*.safetensors"))


def test_extract_does_not_overwrite_unless_told(tmp_path: Path) -> None:
    base = small_base()
    delta = round_trip(tmp_path, base, fine_tuned(base, [UP]))
    with pytest.raises(OutputError, match="exists already"):
        extract(tmp_path / "base", tmp_path / "trained.safetensors", delta)
    extract(tmp_path / "base", tmp_path / "trained.safetensors", delta, overwrite=True)


def test_a_base_index_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    write_folder(tmp_path / "base", small_base(), shards=2)
    index = tmp_path / "base" / "model.safetensors.index.json"
    for path in ("../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..\\x.safetensors"):
        index.write_text(json.dumps({"weight_map": {"w": path}}))
        with pytest.raises(BaseModelError, match="outside of its folder"):
            base_fingerprint(tmp_path / "base")


def test_a_missing_base_is_named(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="holds no safetensors checkpoint"):
        base_fingerprint(tmp_path)
