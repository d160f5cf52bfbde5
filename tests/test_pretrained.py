"""Bases and deltas are found by name, read whole or refused, and put together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hub_server import TOKEN, HubServer

import toolkit
from toolkit import pretrained
from toolkit.delta import LanguageSwitcher
from toolkit.errors import BaseModelError, CogsymError, DeltaError, HubError
from toolkit.run_folder import RunFolder

pytest_plugins = ("hub_server.fixtures",)


def copy_base(tiny_base: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    shutil.copytree(tiny_base, folder)
    return folder


def test_a_folder_is_its_own_base(tiny_base: Path) -> None:
    assert pretrained.resolve_base(tiny_base) == tiny_base
    assert pretrained.resolve_base(str(tiny_base)) == tiny_base


def test_pocket_is_found_without_a_network() -> None:
    assert (pretrained.resolve_base("pocket") / "config.json").is_file()


@pytest.mark.parametrize("name", ["nowhere", "/no/such/folder", "a/b/c"])
def test_a_base_that_is_nothing_is_refused_with_what_would_do(name: str) -> None:
    with pytest.raises(BaseModelError, match="no base model at") as caught:
        pretrained.resolve_base(name)
    assert "Hub id" in str(caught.value.hint)


def test_a_base_is_read_in_float32_on_a_cpu_where_it_is_small(tiny_base: Path) -> None:
    import torch

    model, tokenizer = pretrained.load_base(tiny_base, device="cpu")
    assert model.dtype == torch.float32
    assert not model.training
    assert tokenizer.bos_token_id is not None
    kept, _ = pretrained.load_base(tiny_base, device="cpu", dtype="bfloat16")
    assert kept.dtype == torch.bfloat16


def test_an_unknown_dtype_is_refused(tiny_base: Path) -> None:
    with pytest.raises(BaseModelError, match="'float23' is not a dtype"):
        pretrained.load_base(tiny_base, device="cpu", dtype="float23")


def test_truncated_weights_are_refused(tiny_base: Path, tmp_path: Path) -> None:
    folder = copy_base(tiny_base, tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CogsymError) as caught:
        pretrained.load_base(folder)
    assert isinstance(caught.value, BaseModelError)
    assert caught.value.hint


def test_a_base_that_lacks_a_tensor_is_refused_rather_than_filled_with_random_weights(
    tiny_base: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    folder = copy_base(tiny_base, tmp_path)
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BaseModelError, match=r"lacks 1 of its tensors \(first: model.layers.1.mlp.up_proj.weight\)"):
        pretrained.load_base(folder)


@pytest.mark.parametrize("part", ["config.json", "model.safetensors"])
def test_a_base_without_a_part_is_refused(part: str, tiny_base: Path, tmp_path: Path) -> None:
    folder = copy_base(tiny_base, tmp_path)
    (folder / part).unlink()
    with pytest.raises(BaseModelError):
        pretrained.load_base(folder)


def test_pickled_weights_are_never_read(tiny_base: Path, tmp_path: Path) -> None:
    folder = copy_base(tiny_base, tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BaseModelError, match="safetensors"):
        pretrained.load_base(folder)


def test_a_folder_without_a_config_is_not_a_delta(tmp_path: Path) -> None:
    with pytest.raises(DeltaError, match=r"holds no config.json"):
        pretrained.resolve_delta(tmp_path)
    with pytest.raises(DeltaError, match="no delta at"):
        pretrained.resolve_delta(tmp_path / "missing")


def test_a_config_that_is_not_ours_is_refused(tiny_base: Path) -> None:
    with pytest.raises(CogsymError, match="is a whole model, not a delta"):
        pretrained.resolve_delta(tiny_base)


def test_a_stranger_cannot_name_a_local_folder_as_the_base(tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config_fields(str(tiny_base))), encoding="utf-8")
    (tmp_path / "delta.safetensors").write_bytes(b"")
    with pytest.raises(BaseModelError, match="a base in a local folder named"):
        pretrained.base_of(RunFolder(tmp_path))


def config_fields(base_id: str) -> dict[str, object]:
    base = {
        "id": base_id,
        "architecture": "LlamaForCausalLM",
        "dtype": "BF16",
        "n_layers": 4,
        "n_weights": 1,
        "size_bytes": 2,
    }
    selection = {
        "method": "cogsym",
        "layers": [0, 3],
        "n_layers": 4,
        "embeddings": True,
        "head": True,
        "final_norm": False,
        "parameters": [],
        "trained_weights": 1,
        "total_weights": 1,
    }
    return {
        "format_version": "1.0",
        "language": "jav",
        "directions": ["eng>jav", "jav>eng"],
        "prompt": "lines",
        "max_tokens": 64,
        "base": base,
        "base_fingerprint": "0" * 64,
        "selection": selection,
        "delta_sha256": "0" * 64,
    }


BASE_ON_HUB, DELTA_ON_HUB = "org/tiny", "org/tiny-jav"


@pytest.fixture
def private_shelf(
    hub: HubServer, tiny_base: Path, tiny_deltas: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> HubServer:
    """A Hub with a base and a delta on it, both private; nobody is logged in."""
    hub.store.add_files(BASE_ON_HUB, {path.name: path.read_bytes() for path in tiny_base.iterdir()})
    run = RunFolder(tiny_deltas["jav"])
    config = run.read_config()
    base = config.base.model_copy(
        update={"id": BASE_ON_HUB, "revision": hub.store.repositories[BASE_ON_HUB].refs["main"]}
    )
    text = config.model_copy(update={"base": base}).model_dump_json()
    hub.store.add_files(DELTA_ON_HUB, {"config.json": text.encode(), "delta.safetensors": run.delta.read_bytes()})
    for repository in hub.store.repositories.values():
        repository.private = True
    monkeypatch.delenv("HF_TOKEN")
    return hub


def downloads(hub: HubServer) -> list[str]:
    return [request.path for request in hub.faults.requests if request.method == "GET" and "/cdn/" in request.path]


def test_from_pretrained_takes_the_words_of_the_hub_for_delta_and_base(
    private_shelf: HubServer, tiny_base: Path, tiny_deltas: dict[str, Path], tmp_path: Path
) -> None:
    import torch
    from huggingface_hub import constants

    pinned = private_shelf.store.repositories[DELTA_ON_HUB].refs["main"]
    private_shelf.store.add_files(DELTA_ON_HUB, {"delta.safetensors": b"a newer one, which is broken"})
    with pytest.raises(HubError, match="org/tiny-jav does not exist or is private, and you are not logged in"):
        toolkit.from_pretrained(DELTA_ON_HUB, revision=pinned)
    with pytest.raises(HubError, match="is not on this machine"):
        toolkit.from_pretrained(DELTA_ON_HUB, revision=pinned, token=TOKEN, local_files_only=True)
    options = {"revision": pinned, "cache_dir": tmp_path / "mine", "dtype": "bfloat16"}
    model = toolkit.from_pretrained(DELTA_ON_HUB, token=TOKEN, **options)
    expected = toolkit.from_pretrained(tiny_deltas["jav"], base=tiny_base, dtype="bfloat16")
    for name, weight in expected.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name
    assert not Path(constants.HF_HUB_CACHE).exists()
    assert len(downloads(private_shelf)) == 2

    private_shelf.faults.clear()
    toolkit.from_pretrained(DELTA_ON_HUB, local_files_only=True, **options)
    assert private_shelf.faults.requests == [], "what is here needs neither token nor network"
    toolkit.from_pretrained(DELTA_ON_HUB, token=TOKEN, force_download=True, **options)
    assert len(downloads(private_shelf)) == 2
    with pytest.raises(HubError, match="cannot be downloaded again from this machine alone"):
        toolkit.from_pretrained(DELTA_ON_HUB, force_download=True, local_files_only=True, **options)


def test_a_token_that_is_false_is_none(private_shelf: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert pretrained.resolve_delta(DELTA_ON_HUB).config.is_file()
    with pytest.raises(HubError, match="you are not logged in"):
        pretrained.resolve_delta(DELTA_ON_HUB, token=False)


def test_the_translator_takes_the_same_words(private_shelf: HubServer, tmp_path: Path) -> None:
    translator = toolkit.Translator.from_pretrained(DELTA_ON_HUB, token=TOKEN, cache_dir=tmp_path / "mine")
    assert translator.translate("sun.", "eng>jav") == "moon."
    private_shelf.faults.clear()
    translator.add(DELTA_ON_HUB, name="again", cache_dir=tmp_path / "mine", local_files_only=True)
    assert private_shelf.faults.requests == []


def test_a_base_is_found_here_without_asking_anybody(private_shelf: HubServer) -> None:
    run = pretrained.resolve_delta(DELTA_ON_HUB, token=TOKEN)
    private_shelf.faults.clear()
    assert pretrained.base_here(run) is None
    assert private_shelf.faults.requests == []
    folder = pretrained.base_of(run, token=TOKEN)
    assert pretrained.base_here(run) == folder


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A machine whose second graphics card is the current one; what transformers is asked to load, on the CPU here."""
    import torch
    from transformers import AutoModelForCausalLM

    asked: list[dict[str, Any]] = []
    load = AutoModelForCausalLM.from_pretrained

    def on_the_cpu(folder: Path, *, device_map: Any = None, **words: Any) -> Any:
        asked.append({"device_map": device_map, **words})
        return load(folder, device_map=device_map and {"": "cpu"}, **words)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", on_the_cpu)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    return asked


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_on_a_card_a_base_keeps_its_own_dtype_so_that_its_deltas_fit(
    dtype: str, card: list[dict[str, Any]], tmp_path: Path
) -> None:
    import torch
    from conftest import make_tiny_base

    from toolkit.delta import extract

    base = make_tiny_base(tmp_path / "base", dtype=dtype)
    trained, _ = pretrained.load_base(base, dtype="auto")
    assert trained.dtype == getattr(torch, dtype)
    with torch.no_grad():
        trained.model.layers[0].mlp.up_proj.weight += 1e-2
    trained.save_pretrained(tmp_path / "trained")
    extract(base, tmp_path / "trained", tmp_path / "jav.safetensors")

    model, _ = pretrained.load_base(base)
    switcher = LanguageSwitcher(model, base)
    switcher.add("jav", tmp_path / "jav.safetensors")
    with switcher.use("jav"):
        live = dict(model.named_parameters())
        assert all(torch.equal(live[name], wanted) for name, wanted in trained.named_parameters())


def test_weights_go_to_a_card_straight_from_the_file(tiny_base: Path, card: list[dict[str, Any]]) -> None:
    import torch

    model, _ = pretrained.load_base(tiny_base)
    pretrained.load_base(tiny_base, device="cuda")
    pretrained.load_base(tiny_base, device="cuda:0")
    pretrained.load_base(tiny_base, device="cpu")
    second, first = ({"": torch.device("cuda", index)} for index in (1, 0))
    assert [words["device_map"] for words in card] == [second, second, first, None]
    assert not model.training
    assert not hasattr(model, "_hf_hook")
    # Else the Trainer would take it for one that lies on several devices, and not place it.
    assert len(set(getattr(model, "hf_device_map", {"": 1}).values())) == 1


@pytest.mark.parametrize(("dtype", "ranked"), [("float16", "bfloat16"), ("float32", "bfloat16")])
def test_on_a_card_layers_are_ranked_in_bfloat16(
    dtype: str, ranked: str, card: list[dict[str, Any]], tmp_path: Path
) -> None:
    from conftest import make_tiny_base

    model, _ = pretrained.load_to_rank(make_tiny_base(tmp_path / "base", dtype=dtype))
    assert str(model.dtype) == f"torch.{ranked}"


def test_a_float16_base_that_fills_the_memory_is_ranked_in_bfloat16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from conftest import make_tiny_base

    base = make_tiny_base(tmp_path / "base", dtype="float16")
    assert pretrained.load_to_rank(base)[0].dtype == torch.float32
    monkeypatch.setattr("toolkit.environment.memory_bytes", lambda: 1000)
    assert pretrained.load_base(base)[0].dtype == torch.float16
    assert pretrained.load_to_rank(base)[0].dtype == torch.bfloat16
