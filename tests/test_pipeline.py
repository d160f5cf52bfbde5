"""The whole way by commands: train, evaluate, card, publish, merge, translate, on bases and text of several kinds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import WORDS
from safetensors.torch import load_file

import toolkit

Run = Callable[..., Any]


def write_recipe(path: Path, fields: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"language": "jav", "select": "cogsym:25%", "prompt": "lines"} | fields))
    return path


def made_up_corpus(folder: Path) -> dict[str, Any]:
    """Recipe fields for a corpus of made-up sentences, written into `folder`."""
    rows = [f"the {a} is near the {b}\tsi {a} ada di {b}\t{b} cedhak {a}" for a in WORDS for b in WORDS]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.tsv").write_text("eng\tind\tjav\n" + "\n".join(rows[:100]) + "\n")
    (folder / "test.tsv").write_text("eng\tind\tjav\n" + "\n".join(rows[200:206]) + "\n")
    return {
        "data": [{"path": "train.tsv", "directions": ["eng>jav", "jav>eng"], "licence": "cc0-1.0"}],
        "replay": [{"path": "train.tsv", "directions": ["eng>ind"]}],
        "evaluation": [{"path": "test.tsv", "directions": ["eng>jav", "jav>eng", "eng>ind"], "max_new_tokens": 8}],
        "max_steps": 4,
        "batch_size": 4,
        "learning_rate": 1e-3,
    }


def walk(cogsym: Run, recipe: Path, base: Path | str, folder: Path, limit: int = 4) -> Path:
    """Every verb in turn; each must succeed. Gives the published folder."""
    run, published, merged = folder / "run", folder / "published", folder / "merged"
    for arguments in (
        ("train", "--recipe", recipe, "--out", run),
        ("verify", run, "--base", base, "--full"),
        ("inspect", run),
        ("evaluate", run, "--limit", limit),
        ("table", run),
        ("card", run),
        ("publish", run, published, "--dry-run"),
        ("publish", run, published),
        ("verify", published, "--base", base, "--full"),
        ("merge", published, "--base", base, "--out", merged),
        ("translate", published, "the sun is near the moon", "--direction", "eng>jav", "--base", base),
    ):
        outcome = cogsym(*arguments)
        assert outcome.code == 0, f"{arguments}: {outcome.err}\n{outcome.out}"
    check_merged(published, merged, base)
    return published


def check_merged(published: Path, merged: Path, base: Path | str) -> None:
    """The merged checkpoint loads in transformers, and holds what from_pretrained puts together."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    plain = AutoModelForCausalLM.from_pretrained(merged, local_files_only=True)
    live = toolkit.from_pretrained(published, base=base, dtype=plain.dtype)
    ours = dict(live.named_parameters())
    assert all(torch.equal(tensor, ours[name]) for name, tensor in plain.named_parameters())
    assert AutoTokenizer.from_pretrained(merged, local_files_only=True).eos_token_id is not None


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("corpus")
    return folder, made_up_corpus(folder)


def test_a_stranger_s_base_in_a_folder_goes_the_whole_way(
    cogsym: Run, tiny_base: Path, corpus: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, fields = corpus
    recipe = write_recipe(folder / "tiny.json.yaml", fields | {"base": str(tiny_base), "select": "cogsym:2"})
    published = walk(cogsym, recipe, tiny_base, tmp_path)

    for path in published.rglob("*"):
        if path.suffix in (".md", ".json", ".jsonl", ".yaml"):
            assert str(tmp_path) not in path.read_text(encoding="utf-8"), f"{path} names a path of this machine"
            assert str(tiny_base.parent) not in path.read_text(encoding="utf-8"), f"{path} names a path of this machine"
    names = {path.relative_to(published).as_posix() for path in published.rglob("*") if path.is_file()}
    assert {"README.md", "config.json", "delta.safetensors", "records/training.json", "records/delta.json"} <= names
    assert not any(part in name for name in names for part in ("checkpoints", "trained/", "tasks/", "recipe.yaml"))
    models = {json.loads(path.read_text())["model"] for path in (published / "records/evaluation").glob("*.json")}
    assert models == {"base", "adapted"}


def test_a_delta_meets_another_base_and_is_refused_before_anything_is_written(
    cogsym: Run, tiny_base: Path, corpus: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    from conftest import make_tiny_base

    folder, fields = corpus
    recipe = write_recipe(folder / "other.yaml", fields | {"base": str(tiny_base), "select": "rear:1"})
    assert cogsym("train", "--recipe", recipe, "--out", tmp_path / "run").code == 0
    other = make_tiny_base(tmp_path / "other", seed=1)
    for arguments in (
        ("merge", tmp_path / "run", "--base", other, "--out", tmp_path / "merged"),
        ("translate", tmp_path / "run", "the sun", "--direction", "eng>jav", "--base", other),
        ("evaluate", tmp_path / "run", "--base", other),
        ("verify", tmp_path / "run", "--base", other),
    ):
        outcome = cogsym(*arguments)
        assert outcome.code == 1, arguments
        assert "model.layers." in outcome.err + outcome.out
        assert "Traceback" not in outcome.err
    assert not (tmp_path / "merged").exists()
    assert not (tmp_path / "run" / "records" / "evaluation").exists()


def test_training_goes_on_after_ctrl_c_by_command(
    cogsym: Run, tiny_base: Path, corpus: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import signal

    from toolkit.cli import train as verb

    folder, fields = corpus
    recipe = write_recipe(folder / "stop.yaml", fields | {"base": str(tiny_base), "select": "cogsym:2"})
    bar = verb.train_with_bar

    def interrupted(plan: Any, work: Any, **options: Any) -> Any:
        def watched(*arguments: Any, report: Any, **rest: Any) -> Any:
            def kill(step: Any) -> None:
                report(step)
                if step.step == 2:
                    os.kill(os.getpid(), signal.SIGINT)

            return work(*arguments, report=kill, **rest)

        return bar(plan, watched, **options)

    with monkeypatch.context() as patched:
        patched.setattr(verb, "train_with_bar", interrupted)
        outcome = cogsym("train", "--recipe", recipe, "--out", tmp_path / "run")
    assert outcome.code == 1
    assert "stopped at step 2 of 4; a checkpoint is saved" in outcome.err
    assert not (tmp_path / "run" / "delta.safetensors").exists()
    assert cogsym("train", "--resume", tmp_path / "run").code == 0
    assert cogsym("verify", tmp_path / "run", "--base", tiny_base, "--full").code == 0


@pytest.mark.real_data
def test_the_real_llama_2_tokenizer_goes_the_whole_way(
    cogsym: Run, real_data: Path, corpus: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaTokenizer

    base = tmp_path / "llama-2-tiny"
    base.mkdir()
    shutil.copy(real_data / "llama2_tokenizer" / "tokenizer.model", base)
    tokenizer = LlamaTokenizer.from_pretrained(base, add_bos_token=True)
    tokenizer.save_pretrained(base)
    assert len(tokenizer) == 32_000
    torch.manual_seed(0)
    config = LlamaConfig(hidden_size=16, intermediate_size=32, num_hidden_layers=8, num_attention_heads=2)
    LlamaForCausalLM(config).half().save_pretrained(base)  # float16, as Llama-2 is published

    folder, fields = corpus
    recipe = write_recipe(folder / "llama.yaml", fields | {"base": str(base), "prompt": "alpaca"})
    published = walk(cogsym, recipe, base, tmp_path)
    config_json = json.loads((published / "config.json").read_text())
    assert config_json["selection"]["layers"] == [0, 7]
    assert config_json["base"]["dtype"] == "F16"
    merged, original = (load_file(path / "model.safetensors") for path in (tmp_path / "merged", base))
    assert all(merged[name].dtype == torch.float16 for name in merged)
    assert torch.equal(merged["model.layers.3.mlp.up_proj.weight"], original["model.layers.3.mlp.up_proj.weight"])


@pytest.mark.real_data
def test_real_javanese_goes_the_whole_way_on_the_pocket(cogsym: Run, real_data: Path, tmp_path: Path) -> None:
    columns = {"eng": "english", "jav": "javanese"}
    nusax = real_data / "nusax" / "mt"
    recipe = write_recipe(
        tmp_path / "nusax.yaml",
        {
            "base": "pocket",
            "data": [{"path": str(nusax / "train.csv"), "columns": columns, "licence": "cc-by-sa-4.0"}],
            "evaluation": [
                {
                    "path": str(nusax / "test.csv"),
                    "name": "NusaX",
                    "columns": columns,
                    "directions": ["eng>jav", "jav>eng"],
                    "max_new_tokens": 24,
                }
            ],
            "max_tokens": 256,
            "max_steps": 6,
            "batch_size": 4,
            "learning_rate": 5e-3,
        },
    )
    published = walk(cogsym, recipe, "pocket", tmp_path)
    card = (published / "README.md").read_text(encoding="utf-8")
    assert "NusaX" in card
    assert "cc-by-sa-4.0" in card.lower()
