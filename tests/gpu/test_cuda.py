"""Training in bfloat16 and switching languages on a graphics card: same contracts as on the CPU, for every base."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parent.parent))
from conftest import WORDS, make_tiny_base

from toolkit.adaptation import prepare, train_delta
from toolkit.delta import LanguageSwitcher, merge, verify
from toolkit.pretrained import from_pretrained, load_base
from toolkit.recipe import make_recipe


@pytest.fixture(autouse=True)
def _card() -> None:
    assert torch.cuda.is_available(), "tests/gpu needs an NVIDIA card"


@pytest.fixture(scope="module", params=["bfloat16", "float16", "float32"])  # as bases are published; Llama-2 in float16
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("gpu") / "base", dtype=request.param)


def adapt(base: Path, folder: Path, **changes: Any) -> Path:
    rows = [f"the {a} is near the {b}\t{b} cedhak {a}" for a in WORDS for b in WORDS]
    folder.mkdir(parents=True)
    (folder / "train.tsv").write_text("eng\tjav\n" + "\n".join(rows) + "\n")
    fields: dict[str, Any] = {
        "language": "jav",
        "base": str(base),
        "select": "cogsym:2",
        "data": [{"path": str(folder / "train.tsv"), "directions": ["eng>jav", "jav>eng"]}],
        "prompt": "lines",
        "max_steps": 10,
        "learning_rate": 1e-3,
    }
    plan = prepare(make_recipe(fields | changes), folder / "run")
    training, _ = train_delta(plan)
    by_itself = "bfloat16" if changes.get("optimizer") == "adamw_8bit" else "float32"
    assert training.trained_dtype == changes.get("trained_dtype", by_itself)
    assert training.final_loss < training.first_loss
    return plan.run.root


@pytest.mark.parametrize(
    ("trained_dtype", "optimizer"), [("bfloat16", "adamw_8bit"), ("float32", "adamw_8bit"), ("float32", "adamw")]
)
def test_a_run_on_the_card_gives_an_exact_delta(base: Path, tmp_path: Path, trained_dtype: str, optimizer: str) -> None:
    run = adapt(base, tmp_path / "a", trained_dtype=trained_dtype, optimizer=optimizer)
    assert verify(run / "delta.safetensors", base, full=True)
    merge(run / "delta.safetensors", base, tmp_path / "merged")
    merged, original = (load_file(folder / "model.safetensors") for folder in (tmp_path / "merged", base))
    assert torch.equal(merged["model.layers.1.mlp.up_proj.weight"], original["model.layers.1.mlp.up_proj.weight"])
    assert not torch.equal(merged["model.layers.0.mlp.up_proj.weight"], original["model.layers.0.mlp.up_proj.weight"])
    live = from_pretrained(run, base=base)
    assert live.device.type == "cuda"
    for name, parameter in live.named_parameters():
        assert torch.equal(parameter.cpu(), merged[name]), name


def test_switching_on_the_card_is_exact_and_goes_back(base: Path, tmp_path: Path) -> None:
    runs = [adapt(base, tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    model, _ = load_base(base)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    switcher = LanguageSwitcher(model, base)
    for index, run in enumerate(runs):
        switcher.add(f"language {index}", run / "delta.safetensors")
    for index, run in enumerate([*runs, runs[0]]):
        with switcher.use(f"language {index % 2}"):
            expected = from_pretrained(run, base=base)
            for (name, live), (_, wanted) in zip(model.named_parameters(), expected.named_parameters(), strict=True):
                assert torch.equal(live, wanted), name
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())
