"""Switching languages in memory is exact in every dtype that can be, goes back, and is refused everywhere else."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from conftest import make_tiny_base

from toolkit.delta import extract, merge
from toolkit.errors import DamagedDeltaError, DeltaError, WrongBaseError

LANGUAGES = ("jav", "sun")


@pytest.fixture(scope="module", params=["bfloat16", "float16", "float32"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with base/, and for two languages NAME.safetensors and the merged checkpoint NAME/."""
    folder = tmp_path_factory.mktemp("switch")
    base = make_tiny_base(folder / "base", dtype=request.param)
    for number, name in enumerate(LANGUAGES):
        model = load(base)
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for parameter_name, parameter in model.named_parameters():
                if f"layers.{number}." in parameter_name or "embed" in parameter_name:
                    parameter += torch.randn(parameter.shape, generator=generator).to(parameter.dtype) * 1e-3
        model.save_pretrained(folder / f"trained-{name}")
        extract(base, folder / f"trained-{name}", folder / f"{name}.safetensors")
        merge(folder / f"{name}.safetensors", base, folder / name)
    return folder


def load(folder: Path, dtype: Any = "auto") -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)


def bits(model: Any) -> dict[str, bytes]:
    return {
        name: parameter.detach().contiguous().view(torch.uint8).numpy().tobytes()
        for name, parameter in model.named_parameters()
    }


def switcher_over(folder: Path, model: Any, **options: Any) -> Any:
    from toolkit.delta import LanguageSwitcher

    switcher = LanguageSwitcher(model, folder / "base")
    for name in LANGUAGES:
        switcher.add(name, folder / f"{name}.safetensors", **options)
    return switcher


@pytest.mark.parametrize("resident", [False, True])
@pytest.mark.parametrize("live", ["auto", "float32"])
def test_every_switch_gives_the_merged_weights_exactly(made: Path, resident: bool, live: str) -> None:
    model = load(made / "base", live)
    base = bits(model)
    merged = {name: bits(load(made / name, live)) for name in LANGUAGES}
    switcher = switcher_over(made, model, resident=resident)
    assert bits(model) == base
    for name in ("jav", "sun", "jav", "jav", "sun"):
        with switcher.use(name):
            assert switcher.active == name
            assert bits(model) == merged[name]
        assert switcher.active is None
        assert bits(model) == base
    switcher.activate("sun")
    with switcher.use("jav"), switcher.use(None):
        assert bits(model) == base
    assert bits(model) == merged["sun"]
    switcher.deactivate()
    assert bits(model) == base


def test_resident_and_cold_languages_live_together(made: Path) -> None:
    from toolkit.delta import LanguageSwitcher

    model = load(made / "base")
    switcher = LanguageSwitcher(model)
    switcher.add("jav", made / "jav.safetensors", resident=True)
    switcher.add("sun", made / "sun.safetensors")
    merged = {name: bits(load(made / name)) for name in LANGUAGES}
    for name in ("jav", "sun", "jav", "sun"):
        switcher.activate(name)
        assert bits(model) == merged[name]
    switcher.forget_working_copy()
    assert switcher.active is None
    switcher.remove("jav")
    assert switcher.languages == ("sun",)
    switcher.activate("sun")
    assert bits(model) == merged["sun"]


def test_keep_leaves_the_language_for_good(made: Path) -> None:
    model = load(made / "base")
    switcher = switcher_over(made, model)
    switcher.keep("jav")
    assert bits(model) == bits(load(made / "jav"))
    assert switcher.languages == ()


def test_one_thread_keeps_the_model_while_another_waits(made: Path) -> None:
    model = load(made / "base")
    merged = {name: bits(load(made / name)) for name in LANGUAGES}
    switcher = switcher_over(made, model)
    wrong: list[str] = []

    def work(name: str) -> None:
        for _ in range(6):
            with switcher.use(name):
                if bits(model) != merged[name]:
                    wrong.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in LANGUAGES * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    base = make_tiny_base(folder / "base")
    model = load(base)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight += 1e-3
    model.save_pretrained(folder / "trained")
    extract(base, folder / "trained", folder / "jav.safetensors")
    return folder


def test_another_live_base_is_refused_by_name(plain: Path) -> None:
    from toolkit.delta import LanguageSwitcher

    for live in ("auto", "float32"):
        model = load(plain / "base", live)
        with torch.no_grad():
            model.model.layers[1].mlp.up_proj.weight[0, 0] += 1e-2
        switcher = LanguageSwitcher(model)
        with pytest.raises(WrongBaseError, match=r"1 of \d+ tensors differ: model\.layers\.1\.mlp\.up_proj\.weight"):
            switcher.add("jav", plain / "jav.safetensors")


def test_tensors_that_transformers_does_not_load_do_not_matter(plain: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from toolkit.delta import LanguageSwitcher

    folder = tmp_path / "base"
    shutil.copytree(plain / "base", folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.arange(4, dtype=torch.float32)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    extract(folder, plain / "trained", tmp_path / "jav.safetensors")
    model = load(folder)
    switcher = LanguageSwitcher(model)
    switcher.add("jav", tmp_path / "jav.safetensors")
    with switcher.use("jav"):
        assert bits(model) == bits(load(plain / "trained"))


def test_another_architecture_is_refused(plain: Path, tmp_path: Path) -> None:
    from toolkit.delta import LanguageSwitcher

    switcher = LanguageSwitcher(load(make_tiny_base(tmp_path / "other", layers=2)))
    with pytest.raises(WrongBaseError, match=r"\d+ of \d+ tensors"):
        switcher.add("jav", plain / "jav.safetensors")
    switcher = LanguageSwitcher(load(make_tiny_base(tmp_path / "larger", layers=6)))
    with pytest.raises(WrongBaseError, match=r"missing on one side or have another shape: model\.layers\.4"):
        switcher.add("jav", plain / "jav.safetensors")


def test_another_dtype_is_refused(plain: Path) -> None:
    from toolkit.delta import LanguageSwitcher

    switcher = LanguageSwitcher(load(plain / "base", "float16"))
    with pytest.raises(DeltaError, match=r"the live .* is float16, the delta's base is BF16"):
        switcher.add("jav", plain / "jav.safetensors")
    with pytest.raises(DeltaError, match="is float64"):
        LanguageSwitcher(load(plain / "base", torch.float64))


def test_a_quantised_model_is_refused(plain: Path) -> None:
    from toolkit.delta import LanguageSwitcher

    model = load(plain / "base")
    model.is_quantized = True
    with pytest.raises(DeltaError, match="the model is quantised"):
        LanguageSwitcher(model)
    eight = torch.nn.Linear(2, 2)
    eight.weight = torch.nn.Parameter(torch.zeros(2, 2, dtype=torch.int8), requires_grad=False)
    with pytest.raises(DeltaError, match="weight is int8"):
        LanguageSwitcher(eight)


def test_a_damaged_delta_is_refused_when_added(plain: Path, tmp_path: Path) -> None:
    from toolkit.delta import LanguageSwitcher

    damaged = tmp_path / "jav.safetensors"
    shutil.copy(plain / "jav.safetensors", damaged)
    data = bytearray(damaged.read_bytes())
    data[-3] ^= 1
    damaged.write_bytes(data)
    switcher = LanguageSwitcher(load(plain / "base"))
    with pytest.raises(DamagedDeltaError):
        switcher.add("jav", damaged)
    assert switcher.languages == ()


def test_a_delta_damaged_later_leaves_the_model_on_the_base(plain: Path, tmp_path: Path) -> None:
    from toolkit.delta import LanguageSwitcher

    path = tmp_path / "jav.safetensors"
    shutil.copy(plain / "jav.safetensors", path)
    model = load(plain / "base")
    before = bits(model)
    switcher = LanguageSwitcher(model)
    switcher.add("jav", path)
    with open(path, "r+b") as file:
        file.seek(-3, 2)
        file.write(b"???")
    with pytest.raises(DamagedDeltaError):
        switcher.activate("jav")
    assert switcher.active is None
    assert bits(model) == before


class OnACard(torch.Tensor):
    """Lies on the CPU and says that it lies on a card."""

    device = property(lambda self: torch.device("cuda", 0))  # type: ignore[assignment]


@pytest.mark.parametrize("live", ["auto", "float32"])
def test_once_moved_the_files_of_the_base_may_go(
    live: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.delta import LanguageSwitcher

    folder = tmp_path / "base"
    shutil.copytree(made / "base", folder)
    model = load(folder, live)
    switcher = LanguageSwitcher(model, folder)
    switcher.add("jav", made / "jav.safetensors")
    with monkeypatch.context() as moving:
        moving.setattr(torch.Tensor, "to", lambda self, *_: self.clone().as_subclass(OnACard))
        switcher.move("cuda")
    shutil.rmtree(folder)  # as ZeroGPU does with the weights of its cache, once it has packed them
    for name in ("Stream", "stream", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: MagicMock())
    with switcher.use("jav"):
        assert bits(model) == bits(load(made / "jav", live))


def test_an_unknown_or_repeated_name_is_refused(plain: Path) -> None:
    from toolkit.delta import LanguageSwitcher

    switcher = LanguageSwitcher(load(plain / "base"))
    switcher.add("jav", plain / "jav.safetensors")
    with pytest.raises(DeltaError, match=r"no language 'sun' was added \(known: jav\)"):
        switcher.activate("sun")
    with pytest.raises(DeltaError, match="'jav' is known already"):
        switcher.add("jav", plain / "jav.safetensors")


def test_tied_embeddings_are_switched_on_both_ends(tmp_path: Path) -> None:
    from toolkit.delta import LanguageSwitcher

    base = make_tiny_base(tmp_path / "base", tied=True)
    model = load(base)
    with torch.no_grad():
        model.model.embed_tokens.weight += 1e-3
    model.save_pretrained(tmp_path / "trained")
    extract(base, tmp_path / "trained", tmp_path / "jav.safetensors")
    live = load(base)
    switcher = LanguageSwitcher(live)
    switcher.add("jav", tmp_path / "jav.safetensors")
    with switcher.use("jav"):
        assert torch.equal(live.lm_head.weight, model.lm_head.weight)
        assert torch.equal(live.model.embed_tokens.weight, model.model.embed_tokens.weight)
