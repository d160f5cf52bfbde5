"""Checkpoints of the shape of Llama-2-7B with random weights and a random change, for sizes and speeds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from toolkit.delta.safetensors_file import build_header

WIDTH, INNER, VOCABULARY = 4096, 11008, 32000
BASE_RMS = 0.0225  # the limit depends on it: a smaller weight has a finer unit in the last place


def bf16(values: np.ndarray) -> np.ndarray:
    """float32 to bfloat16 bit patterns, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + ((bits >> 16) & 1) + 0x7FFF) >> 16).astype(np.uint16)


def float32(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def normal(shape: tuple[int, ...], rms: float, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(shape, np.float32) * np.float32(rms)


def pair(shape: tuple[int, ...], update_rms: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Base and trained bit patterns; the change is independent noise, which nothing can predict."""
    rng = np.random.default_rng(seed)
    base = bf16(normal(shape, BASE_RMS, rng))
    return base, bf16(float32(base) + normal(shape, update_rms, rng))


def low_rank_pair(
    shape: tuple[int, int], update_rms: float, rank: int, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """As `pair`, but `share` of the change's energy lies along `rank` directions, as in real fine-tuning."""
    rng = np.random.default_rng(seed)
    base = bf16(normal(shape, BASE_RMS, rng))
    directions = normal((shape[0], rank), 1, rng) @ normal((rank, shape[1]), 1 / np.sqrt(rank), rng)
    change = np.sqrt(share) * directions + np.sqrt(1 - share) * normal(shape, 1, rng)
    return base, bf16(float32(base) + update_rms * change)


def layer_shapes(layer: int) -> dict[str, tuple[int, ...]]:
    prefix = f"model.layers.{layer}."
    shapes: dict[str, tuple[int, ...]] = {f"{prefix}self_attn.{name}_proj.weight": (WIDTH, WIDTH) for name in "qkvo"}
    shapes |= {f"{prefix}mlp.{name}_proj.weight": (INNER, WIDTH) for name in ("gate", "up")}
    shapes[f"{prefix}mlp.down_proj.weight"] = (WIDTH, INNER)
    shapes |= {f"{prefix}{name}_layernorm.weight": (WIDTH,) for name in ("input", "post_attention")}
    return shapes


def write_checkpoint(
    folder: Path, layers: int, changed_layers: tuple[int, ...], update_rms: float
) -> tuple[Path, Path]:
    """A base in one shard per two layers, and the changed tensors of a fine-tune: embeddings, head, `changed_layers`.

    Returns:
        The folders of the base and of the changed tensors.
    """
    base, trained = folder / "base", folder / "trained"
    if (base / "config.json").exists():
        return base, trained
    base.mkdir(parents=True, exist_ok=True)
    trained.mkdir(exist_ok=True)
    groups: list[dict[str, tuple[int, ...]]] = [{"model.embed_tokens.weight": (VOCABULARY, WIDTH)}]
    for layer in range(layers):
        if layer % 2 == 0 and layer:
            groups.append({})
        groups[-1] |= layer_shapes(layer)
    groups[-1] |= {"model.norm.weight": (WIDTH,), "lm_head.weight": (VOCABULARY, WIDTH)}
    names = [f"model-{i:05d}-of-{len(groups):05d}.safetensors" for i in range(1, len(groups) + 1)]
    fine_tuned = (*(f"model.layers.{layer}." for layer in changed_layers), "model.embed", "lm_head")
    pool = bf16(normal((1 << 26,), BASE_RMS, np.random.default_rng(1)))  # unchanged matrices are cut from here
    weight_map = {}
    for number, (name, shapes) in enumerate(zip(names, groups, strict=True)):
        changed = [n for n in shapes if n.startswith(fine_tuned)]
        with open(base / name, "wb") as old, open(trained / name, "wb") as new:
            old.write(build_header([(n, "BF16", s, 2 * int(np.prod(s))) for n, s in shapes.items()], {"format": "pt"}))
            new.write(
                build_header([(n, "BF16", shapes[n], 2 * int(np.prod(shapes[n]))) for n in changed], {"format": "pt"})
            )
            for index, (tensor, shape) in enumerate(shapes.items()):
                weight_map[tensor] = name
                if tensor in changed:
                    before, after = pair(shape, update_rms, 1000 * number + index)
                    new.write(after.tobytes())
                else:
                    before = np.roll(pool, 4099 * (100 * number + index))[: int(np.prod(shape))]
                old.write(before.tobytes())
        if not changed:
            (trained / name).unlink()
    (base / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH, "intermediate_size": INNER,
        "num_hidden_layers": layers, "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": VOCABULARY,
        "dtype": "bfloat16", "tie_word_embeddings": False, "max_position_embeddings": 4096,
    }  # fmt: skip
    (base / "config.json").write_text(json.dumps(config))
    return base, trained


def write_matrices(folder: Path, pairs: dict[str, tuple[np.ndarray, np.ndarray]]) -> tuple[Path, Path]:
    """Two single files with the given matrices before and after."""
    folder.mkdir(parents=True, exist_ok=True)
    for side, file in enumerate(("base.safetensors", "trained.safetensors")):
        with open(folder / file, "wb") as out:
            out.write(build_header([(n, "BF16", p[side].shape, p[side].nbytes) for n, p in pairs.items()], {}))
            for matrices in pairs.values():
                out.write(matrices[side].tobytes())
    return folder / "base.safetensors", folder / "trained.safetensors"
