"""toolkit/training/distributed.py: two processes, with data parallelism or sharded, learn what one learns."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from accelerate.state import AcceleratorState
from conftest import make_tiny_base
from safetensors.torch import load_file

from toolkit.delta import merge
from toolkit.pretrained import resolve_config
from toolkit.recipe import Recipe, make_recipe
from toolkit.run_folder import RunFolder
from toolkit.selection import read_layout, resolve_selection
from toolkit.training import Requirements, requirements
from toolkit.training.arguments import training_arguments
from toolkit.training.backends import load_to_train
from toolkit.training.distributed import idle_cards
from toolkit.training.trainer import PartialTrainer

WORKER = Path(__file__).with_name("distributed_worker.py")
FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, a corpus, and recipe.yaml."""
    folder = tmp_path_factory.mktemp("distributed")
    make_tiny_base(folder / "base", dtype="float32")
    words = "eng jav\n" + "".join(f"one {i} house siji {i} omah\n" for i in range(40))
    rows = [line.split(" ", 3) for line in words.splitlines()[1:]]
    text = "eng\tjav\n" + "".join(f"{a} {b} {c}.\t{d}.\n" for a, b, c, d in rows)
    (folder / "train.tsv").write_text(text, encoding="utf-8")
    fields = {
        "language": "jav", "base": "base", "data": [{"path": "train.tsv", "directions": ["eng>jav", "jav>eng"]}],
        "prompt": "lines", "max_steps": 6, "batch_size": 8, "micro_batch_size": 4, "learning_rate": 1e-3,
        "checkpoint_steps": 3, "select": "cogsym:2",
    }  # fmt: skip
    (folder / "recipe.yaml").write_text(yaml.safe_dump(fields), encoding="utf-8")
    accumulating = yaml.safe_dump(fields | {"micro_batch_size": 2})  # two forward passes per step of each process
    (folder / "accumulating.yaml").write_text(accumulating, encoding="utf-8")
    return folder


def cogsym(folder: Path, *arguments: str, processes: int, **environment: str) -> subprocess.CompletedProcess[str]:
    launch = [sys.executable, str(WORKER)]
    if processes > 1:
        launch[1:1] = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    root = str(Path(__file__).parent.parent)
    settings = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": root, "COLUMNS": "200"}
    return subprocess.run(
        [*launch, *arguments], cwd=folder, env=os.environ | settings | environment, capture_output=True, text=True,
        timeout=250,
    )  # fmt: skip


def trained(folder: Path, run: str) -> dict[str, torch.Tensor]:
    merge(RunFolder(folder / run).delta, folder / "base", folder / f"{run}-merged")
    return load_file(folder / f"{run}-merged" / "model.safetensors")


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[str, torch.Tensor]:
    done = cogsym(folder, "train", "--recipe", "recipe.yaml", "--out", "alone", processes=1)
    assert done.returncode == 0, done.stderr
    return trained(folder, "alone")


@pytest.mark.parametrize(("name", "environment"), [("ddp", {}), ("fsdp", FSDP)])
@pytest.mark.parametrize("recipe", ["recipe", "accumulating"])
def test_two_processes_learn_what_one_learns(
    folder: Path, alone: dict[str, torch.Tensor], name: str, environment: dict[str, str], recipe: str
) -> None:
    name = f"{name}-{recipe}"
    done = cogsym(folder, "train", "--recipe", f"{recipe}.yaml", "--out", name, processes=2, **environment)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"trained 6 steps", done.stdout)) == 1, "one process speaks"
    base, together = load_file(folder / "base" / "model.safetensors"), trained(folder, name)
    learned = max((alone[tensor] - base[tensor]).abs().max().item() for tensor in base)
    apart = max((alone[tensor] - together[tensor]).abs().max().item() for tensor in base)
    assert learned > 1e-3
    assert apart < learned / 100, "sums in another order, and nothing else, may tell them apart"
    assert RunFolder(folder / name).read_training().steps == 6


@pytest.mark.parametrize(("name", "environment"), [("ddp", {}), ("fsdp", FSDP)])
def test_two_processes_go_on_after_they_were_stopped(
    folder: Path, alone: dict[str, torch.Tensor], name: str, environment: dict[str, str]
) -> None:
    run = f"{name}-stopped"
    stop = {"STOP_AT": "4"}
    done = cogsym(folder, "train", "--recipe", "recipe.yaml", "--out", run, processes=2, **environment, **stop)
    assert done.returncode != 0
    assert (folder / run / "checkpoints" / "checkpoint-3").is_dir()
    done = cogsym(folder, "train", "--resume", run, processes=2, **environment)
    assert done.returncode == 0, done.stderr
    together = trained(folder, run)
    apart = max((alone[tensor] - together[tensor]).abs().max().item() for tensor in alone)
    assert apart < 1e-5


def test_one_process_ranks_and_all_train_what_it_found(folder: Path) -> None:
    ranked = ("train", "--recipe", "recipe.yaml", "--select", "fisher:2", "--out")
    (folder / "rankers").mkdir()
    done = cogsym(folder, *ranked, "fisher", processes=2, RANKERS=str(folder / "rankers"))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (folder / "rankers").iterdir()] == ["0"]
    assert cogsym(folder, *ranked, "fisher-alone", processes=1).returncode == 0
    together, alone = (RunFolder(folder / run).read_selection() for run in ("fisher", "fisher-alone"))
    assert together.scores is not None
    assert together == alone


def test_a_batch_that_cannot_be_shared_out_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.errors import RecipeError
    from toolkit.training.distributed import accumulation_steps, micro_batch_size

    fields = yaml.safe_load((folder / "recipe.yaml").read_text())
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(RecipeError, match="not a multiple of 3 processes"):
        accumulation_steps(make_recipe(fields))
    monkeypatch.setenv("WORLD_SIZE", "4")
    whole = make_recipe(fields | {"micro_batch_size": None})
    assert (micro_batch_size(whole), accumulation_steps(whole)) == (2, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "lora"},
        {"order": "front_then_rear"},
        {"frozen": "4bit"},
        {"optimizer": "adamw_8bit"},
        {"backend": "unsloth"},
    ],
)
def test_what_cannot_be_sharded_is_refused_before_training(
    folder: Path, fields: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.errors import RecipeError
    from toolkit.training.distributed import check_sharding

    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    recipe = make_recipe(yaml.safe_load((folder / "recipe.yaml").read_text()) | fields)
    selection = resolve_selection(recipe.select, read_layout(folder / "base"))
    [(field, value)] = fields.items()
    with pytest.raises(RecipeError, match=f"`{field}: {value}` cannot be trained with sharded") as refused:
        check_sharding(recipe, selection)
    assert f"use `{field}: " in str(refused.value.hint)


@pytest.fixture
def recipe(folder: Path) -> Recipe:
    return make_recipe(yaml.safe_load((folder / "recipe.yaml").read_text()))


@pytest.fixture
def four_cards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with four cards, as far as a process can see that has not used any of them."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def test_one_process_trains_on_one_of_several_cards(recipe: Recipe, tmp_path: Path, four_cards: None) -> None:
    arguments = training_arguments(recipe, tmp_path, 80, measures_loss=False, name="run")
    assert arguments.device.type == "cuda"
    assert arguments.n_gpu == 1, "else Trainer takes DataParallel"
    assert arguments.train_batch_size == 4
    assert idle_cards() == 3


def test_cards_that_stay_idle_are_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from toolkit.cli import main

    monkeypatch.setattr("toolkit.training.distributed.idle_cards", lambda: 3)
    monkeypatch.setattr("toolkit.training.needs.free_memory_bytes", lambda: 1)  # refused before it trains
    command = ["train", "--recipe", str(folder / "recipe.yaml"), "--out", str(folder / "idle")]
    with pytest.raises(SystemExit):
        main(command)
    assert "1 of 4 GPUs trains; `accelerate launch -m toolkit train ...` uses all 4" in capsys.readouterr().err


def test_a_model_that_will_be_sharded_never_lies_on_a_card_as_a_whole(
    recipe: Recipe, folder: Path, four_cards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[str] = []

    class Model:
        def to(self, device: torch.device) -> Model:
            places.append(str(device))
            return self

    def load_base(base: Path, *, dtype: torch.dtype, device: torch.device) -> tuple[Model, None]:
        return Model().to(device), None

    monkeypatch.setattr("toolkit.training.backends.load_base", load_base)
    monkeypatch.setattr("toolkit.training.backends.is_installed", lambda _: True)  # unsloth, which knows no shards
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    selection = resolve_selection(recipe.select, read_layout(folder / "base"))
    load_to_train(recipe, selection, folder / "base")
    assert set(places) == {"cpu"}
    places.clear()
    monkeypatch.delenv("ACCELERATE_USE_FSDP")
    load_to_train(recipe.model_copy(update={"backend": "transformers"}), selection, folder / "base")
    assert set(places) == {"cuda"}


def test_sharded_gradients_never_wait_unsharded(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits() -> dict[str, bool] | None:
        arguments = training_arguments(recipe, tmp_path, 80, measures_loss=False, name="run")
        kept: dict[str, bool] | None = arguments.accelerator_config.gradient_accumulation_kwargs
        return kept

    assert not waits()
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert waits() == {"sync_each_batch": True}


def test_data_parallelism_averages_gradients_where_they_are(recipe: Recipe, tmp_path: Path) -> None:
    arguments = training_arguments(recipe, tmp_path, 80, measures_loss=False, name="run")
    trainer = PartialTrainer(model=torch.nn.Linear(2, 2), args=arguments)
    assert trainer.accelerator.ddp_handler.gradient_as_bucket_view
    assert not trainer.accelerator.ddp_handler.find_unused_parameters


LLAMA = resolve_config("meta-llama/Llama-2-7b-hf")


def llama_needs(recipe: Recipe, select: str, **changes: Any) -> Requirements:
    whole = recipe.model_copy(update={"select": select, "batch_size": 32, "micro_batch_size": 1} | changes)
    layout = read_layout(LLAMA)
    return requirements(whole, LLAMA, layout, (resolve_selection(select, layout),), card_bytes=48 * 2**30)


def test_what_is_sharded_fits_where_the_whole_does_not(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    whole = llama_needs(recipe, "full")
    assert not whole.fits
    assert whole.shards == 1
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    shared = llama_needs(recipe, "full")
    assert shared.fits
    assert shared.shards == 8
    weights = 6_738_415_616
    # What trains is kept in float32 there, and computes in bfloat16.
    assert shared.memory.gradients == pytest.approx(4 * weights / 8)
    assert shared.memory.optimizer == pytest.approx(8 * weights / 8)
    assert shared.memory.weights == pytest.approx(4 * weights / 8)
    # A card holds two whole layers and both ends at one time, and their gradients.
    gathered = 2 * (2 * 202_383_360 + 2 * 131_072_000) * 2
    assert shared.memory.peak > (4 + 8 + 4) * weights / 8 + gathered
    assert shared.disk_bytes > 3 * 12 * weights, "checkpoints are whole"


def test_what_cannot_be_sharded_is_no_remedy(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    long = {"max_tokens": 2048, "micro_batch_size": 32, "batch_size": 64, "gradient_checkpointing": True}
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    found = llama_needs(recipe, "cogsym:50%", **long)
    assert not found.fits
    assert found.remedies
    for unfit in ("adamw_8bit", "4bit", "_then_", "bfloat16"):
        assert unfit not in " ".join(found.remedies)


def test_the_buckets_of_data_parallelism_are_counted(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = llama_needs(recipe, "cogsym:25%").memory
    monkeypatch.setenv("WORLD_SIZE", "2")
    together = llama_needs(recipe, "cogsym:25%").memory
    assert together.peak == alone.peak + alone.gradients
    assert together.gradients == alone.gradients


def test_the_plan_of_what_is_sharded_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from toolkit.cli import main

    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    command = ["plan", "--recipe", str(folder / "recipe.yaml"), "--base", "meta-llama/Llama-2-7b-hf", "--card", "48"]
    with pytest.raises(SystemExit) as finished:
        main([*command, "--force"])
    assert finished.value.code in (None, 0)
    assert "GB of GPU memory on each of 8 cards that share the model" in capsys.readouterr().err
