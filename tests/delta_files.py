"""Small safetensors checkpoints of any dtype and shape, made from bit patterns, for the tests of deltas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.delta.checkpoint import open_checkpoint
from toolkit.delta.safetensors_file import ITEM_BYTES, build_header

Tensors = dict[str, tuple[str, np.ndarray]]  # name -> dtype as in safetensors, bit patterns


def bits_dtype(dtype: str) -> np.dtype[Any]:
    return np.dtype(f"u{ITEM_BYTES[dtype]}")


def write_file(path: Path, tensors: Tensors) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = [(name, dtype, bits.shape, bits.nbytes) for name, (dtype, bits) in tensors.items()]
    path.write_bytes(build_header(entries, {"format": "pt"}) + b"".join(bits.tobytes() for _, bits in tensors.values()))
    return path


def write_folder(folder: Path, tensors: Tensors, shards: int = 1) -> Path:
    """A checkpoint with config.json; the tensors dealt out to shards in order."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2}))
    (folder / "tokenizer.json").write_text("{}")
    if shards == 1:
        write_file(folder / "model.safetensors", tensors)
        return folder
    names, weight_map = list(tensors), {}
    for number in range(shards):
        file = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        mine = names[number * len(names) // shards : (number + 1) * len(names) // shards]
        write_file(folder / file, {name: tensors[name] for name in mine})
        weight_map |= dict.fromkeys(mine, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return folder


def read_tensors(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Name -> dtype, shape and bytes of everything in a checkpoint."""
    found = {}
    for name, span in open_checkpoint(path).tensors.items():
        with open(span.file, "rb") as file:
            file.seek(span.start)
            found[name] = span.dtype, span.shape, file.read(span.size_bytes)
    return found


def as_read(tensors: Tensors) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (dtype, bits.shape, bits.tobytes()) for name, (dtype, bits) in tensors.items()}


def bf16(values: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + ((bits >> 16) & 1) + 0x7FFF) >> 16).astype(np.uint16)


def small_base(seed: int = 0, width: int = 48) -> Tensors:
    """Two layers' worth of matrices, embeddings and a norm, in BF16."""
    rng = np.random.default_rng(seed)
    shapes = {"lm_head.weight": (64, width), "model.embed_tokens.weight": (64, width), "model.norm.weight": (width,)}
    for layer in range(2):
        shapes[f"model.layers.{layer}.mlp.up_proj.weight"] = (3 * width, width)
        shapes[f"model.layers.{layer}.mlp.down_proj.weight"] = (width, 3 * width)
    return {name: ("BF16", bf16(rng.normal(0, 0.02, shape))) for name, shape in sorted(shapes.items())}


def fine_tuned(base: Tensors, names: list[str], *, rms: float = 2e-4, seed: int = 1) -> Tensors:
    """The base with noise added to these tensors."""
    rng = np.random.default_rng(seed)
    after = dict(base)
    for name in names:
        values = (base[name][1].astype(np.uint32) << 16).view(np.float32)
        after[name] = "BF16", bf16(values + rng.normal(0, rms, values.shape))
    return after
