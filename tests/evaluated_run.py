"""A run folder with a real delta over the tiny base, ready to be evaluated."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from toolkit.recipe import Recipe, make_recipe, read_recipe, write_recipe
from toolkit.records import DeltaConfig, SelectionInfo
from toolkit.run_folder import RunFolder

NOUNS = ("bird", "fish", "house", "tree", "river", "stone", "road", "hill")
OTHERS = {"jav": ("manuk", "iwak", "omah", "wit", "kali", "watu", "dalan", "gumuk")}
OTHERS["ind"] = ("burung", "ikan", "rumah", "pohon", "sungai", "batu", "jalan", "bukit")


def write_pairs(path: Path, *, count: int = 12, first: int = 0, columns: str = "eng\tjav\tind") -> Path:
    """A tsv of sentences that all differ; `first` shifts them, so that two files need share none."""
    rows = [columns]
    for index in range(first, first + count):
        a, b = index % 8, (index // 8 + index + 1) % 8
        number = index + 10
        english = f"the {NOUNS[a]} is near the {NOUNS[b]} {number}"
        javanese, indonesian = (f"{OTHERS[code][a]} {code} {OTHERS[code][b]} {number}" for code in ("jav", "ind"))
        rows.append(f"{english}\t{javanese}\t{indonesian}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def make_recipe_for(base: Path, folder: Path, **test_set: object) -> Recipe:
    """A recipe with one test set of 12 sentences; `test_set` changes its fields."""
    write_pairs(folder / "train.tsv", first=1000)
    if not (folder / "held-out.tsv").exists():
        write_pairs(folder / "held-out.tsv")
    tested = {
        "path": str(folder / "held-out.tsv"),
        "name": "held-out",
        "directions": ["eng>jav", "jav>eng", "eng>ind"],
        "max_new_tokens": 24,
    }
    return make_recipe(
        {
            "language": "jav",
            "base": str(base),
            "prompt": "lines",
            "data": [{"path": str(folder / "train.tsv")}],
            "evaluation": [tested | test_set],
        }
    )


def make_run(base: Path, folder: Path, **test_set: object) -> RunFolder:
    """A run whose outer layers differ from the base's, as after training: recipe, config and delta."""
    from toolkit.delta import extract, read_base_info

    folder.mkdir(parents=True)
    run = RunFolder(folder / "run")
    recipe = make_recipe_for(base, folder, **test_set)
    write_recipe(recipe, run.recipe, opening="cogsym train")
    tensors = load_file(base / "model.safetensors")
    torch.manual_seed(7)
    outer = {name: tensor for name, tensor in tensors.items() if ".layers.0." in name or ".layers.3." in name}
    trained = {name: (tensor + 0.05 * torch.randn(tensor.shape)).to(tensor.dtype) for name, tensor in outer.items()}
    run.trained.mkdir(parents=True)
    save_file(trained, run.trained / "model.safetensors")
    info = extract(base, run.trained, run.delta, base_info=read_base_info(base, base.name, None))
    info.write(run.delta_info)
    DeltaConfig(
        format_version=info.format_version,
        language="jav",
        directions=("eng>jav", "jav>eng"),
        prompt=recipe.prompt,
        max_tokens=recipe.max_tokens,
        base=info.base,
        base_fingerprint=info.base_fingerprint,
        selection=SelectionInfo(
            method="layers",
            layers=(0, 3),
            n_layers=4,
            embeddings=False,
            head=False,
            final_norm=False,
            parameters=tuple(trained),
            trained_weights=sum(tensor.numel() for tensor in trained.values()),
            total_weights=sum(tensor.numel() for tensor in tensors.values()),
        ),
        delta_sha256=info.sha256,
    ).write(run.config)
    return run


def change_test_set(run: RunFolder, **fields: object) -> None:
    """Rewrite the run's recipe with other fields of its test set."""
    recipe = read_recipe(run.recipe).model_dump()
    recipe["evaluation"][0].update(fields)
    write_recipe(make_recipe(recipe), run.recipe, opening="cogsym train")
