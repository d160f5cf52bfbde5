"""Records of runs that never took place, for tests of cards: plausible, small, and easy to change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from toolkit.records import (
    BaseInfo,
    DataInfo,
    DeltaConfig,
    DeltaInfo,
    EvaluationRecord,
    Hardware,
    Identification,
    Score,
    SelectionInfo,
    TensorChange,
    TrainingRecord,
)
from toolkit.run_folder import RunFolder

DELTA_SHA256, BASE_FINGERPRINT = "d" * 64, "b" * 64
LAYERS = (0, 1, 2, 3, 28, 29, 30, 31)
PARTS = {
    "self_attn.q_proj": 16_777_216,
    "self_attn.k_proj": 16_777_216,
    "self_attn.v_proj": 16_777_216,
    "self_attn.o_proj": 16_777_216,
    "mlp.gate_proj": 45_088_768,
    "mlp.up_proj": 45_088_768,
    "mlp.down_proj": 45_088_768,
}
BASE = BaseInfo(
    id="meta-llama/Llama-2-7b-hf",
    revision="01c7f73d771dfac7d292323805ebc428287df4f9",
    architecture="LlamaForCausalLM",
    dtype="BF16",
    n_layers=32,
    n_weights=6_738_415_616,
    size_bytes=13_476_831_232,
    licence="llama2",
)
POCKET_BASE = BASE.model_copy(
    update={"id": "pocket", "revision": None, "n_layers": 16, "n_weights": 2_064_000, "size_bytes": 4_128_000}
).model_copy(update={"licence": None})
SELECTION = SelectionInfo(
    method="cogsym",
    budget="25%",
    layers=LAYERS,
    n_layers=32,
    embeddings=True,
    head=True,
    final_norm=False,
    parameters=("model.embed_tokens.weight", "lm_head.weight"),
    trained_weights=1_881_145_344,
    total_weights=6_738_415_616,
)
DATA = (
    DataInfo(
        name="alpaca_jav.json",
        kind="instructions",
        role="target",
        languages=("jav",),
        rows=51_760,
        dropped={"empty instruction or output": 242},
        fingerprint="1" * 64,
        licence="cc-by-nc-4.0",
        origin="machine translation",
    ),
    DataInfo(
        name="nusax_train.csv",
        kind="parallel",
        role="target",
        languages=("eng", "jav"),
        rows=500,
        fingerprint="2" * 64,
        licence="cc-by-sa-4.0",
        origin="human translation",
        weight=2.5,
        identified=(
            Identification(language="eng", rows=500, share=0.992, next_best="id", next_share=0.008),
            Identification(language="jav", rows=0, share=None),
        ),
    ),
    DataInfo(
        name="oasst.json", kind="instructions", role="replay", languages=("eng",), rows=7_500, fingerprint="3" * 64
    ),
)
SIGNATURES = {
    "chrF++": "chrF2++|nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.5.1|bs:1000|seed:12345",
    "BLEU": "BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.5.1|bs:1000|seed:12345",
}
# direction -> role, and (metric -> (base, adapted), each value with half of its interval)
SCORES: dict[str, tuple[str, dict[str, tuple[tuple[float, float], tuple[float, float]]]]] = {
    "eng>jav": ("target", {"chrF++": ((24.81, 0.6), (47.33, 0.9)), "BLEU": ((2.13, 0.4), (17.62, 1.2))}),
    "jav>eng": ("target", {"chrF++": ((33.02, 0.8), (36.94, 0.9)), "BLEU": ((9.87, 0.9), (12.04, 1.0))}),
    "eng>ind": ("known", {"chrF++": ((57.26, 0.8), (54.11, 0.8)), "BLEU": ((26.41, 1.2), (23.08, 1.1))}),
}
SAMPLES = {
    "eng>jav": [
        ("The food here is cheap and good.", "Panganan neng kene murah lan enak.", "Makanan di sini murah dan enak.",
         "Panganan ing kene murah lan enak."),
        ("I waited for an hour.", "Aku ngenteni sak jam.", "Saya menunggu satu jam.", "Aku ngenteni sejam."),
    ],
    "jav>eng": [
        ("Aku ngenteni sak jam.", "I waited for an hour.", "I am waiting for the hour.", "I waited one hour."),
    ],
}  # fmt: skip


def make_records(root: Path, **changes: Any) -> RunFolder:
    """A run folder that holds the records of a Javanese Llama-2, and samples; no delta.

    Args:
        root: folder to make.
        changes: `config`, `training`, `delta`: fields to replace in that record; `base`: another BaseInfo in all of
            them; `scores`: another table like SCORES; `dataset`: name of the test set.
    """
    run = RunFolder(root)
    base = changes.get("base", BASE)
    _config(base).model_copy(update=changes.get("config", {})).write(run.config)
    _training(base).model_copy(update=changes.get("training", {})).write(run.training_record)
    _delta(base).model_copy(update=changes.get("delta", {})).write(run.delta_info)
    for direction, (role, metrics) in changes.get("scores", SCORES).items():
        for index, model in enumerate(("base", "adapted")):
            scores = tuple(
                Score(
                    metric=metric,
                    value=pair[index][0],
                    low=pair[index][0] - pair[index][1],
                    high=pair[index][0] + pair[index][1],
                    p_value=0.001 if index else None,
                    signature=SIGNATURES.get(metric, "accuracy|v1"),
                )
                for metric, pair in metrics.items()
            )
            record = evaluation(direction, model, role, scores, changes.get("dataset", "NusaX"))
            record.write(run.evaluation_records / f"{record.task}.{model}.json")
            write_samples(run, record, SAMPLES.get(direction, []))
    return run


def write_samples(run: RunFolder, record: EvaluationRecord, samples: list[tuple[str, str, str, str]]) -> None:
    run.samples.mkdir(parents=True, exist_ok=True)
    assert record.samples
    rows = [
        {"source": source, "reference": reference, "hypothesis": base if record.model == "base" else adapted}
        for source, reference, base, adapted in samples
    ]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (run.samples / record.samples[0]).write_text(text, encoding="utf-8")


def evaluation(
    direction: str, model: str, role: str, scores: tuple[Score, ...], dataset: str = "NusaX"
) -> EvaluationRecord:
    task = f"NusaX_{direction.replace('>', '_')}"
    return EvaluationRecord.model_validate(
        {
            "task": task,
            "model": model,
            "direction": direction,
            "role": role,
            "dataset": dataset,
            "data_fingerprint": "e" * 64,
            "n": 400,
            "shots": 2,
            "seeds": [0],
            "prompts_sha256": ["0" * 64],
            "prompt": "alpaca",
            "example_prompt": "### Instruction: ...",
            "decoding": {"do_sample": False, "max_new_tokens": 128, "stop": "\n\n"},
            "scores": scores,
            "base_fingerprint": BASE_FINGERPRINT,
            "delta_sha256": DELTA_SHA256 if model == "adapted" else None,
            "seconds": 61.5,
            "versions": {"python": "3.11.7", "lm-eval": "0.4.13"},
            "samples": [f"{task}.{model}.jsonl"],
        }
    )


def _config(base: BaseInfo) -> DeltaConfig:
    return DeltaConfig(
        format_version="1.0",
        language="jav",
        known_languages=("eng",),
        directions=("eng>jav", "jav>eng"),
        prompt="alpaca",
        max_tokens=512,
        base=base,
        base_fingerprint=BASE_FINGERPRINT,
        selection=SELECTION,
        delta_sha256=DELTA_SHA256,
    )


def _training(base: BaseInfo) -> TrainingRecord:
    recipe = {
        "language": "jav",
        "base": base.id,
        "base_revision": base.revision,
        "select": "cogsym:25%",
        "data": [
            {"path": "alpaca_jav.json", "kind": "instructions", "licence": "cc-by-nc-4.0"},
            {"path": "nusax_train.csv", "columns": {"eng": "english", "jav": "javanese"}, "licence": "cc-by-sa-4.0"},
        ],
        "optimizer": "adamw_8bit",
        "learning_rate": 2e-5,
        "gradient_checkpointing": True,
        "max_steps": None,
        "seed": 0,
    }
    return TrainingRecord(
        language="jav",
        base=base,
        selection=SELECTION,
        data=DATA,
        recipe=recipe,
        recipe_changes={
            key: recipe[key] for key in ("language", "base", "data", "optimizer", "gradient_checkpointing")
        },
        steps=6_533,
        examples=52_260,
        tokens=9_412_007,
        first_loss=2.91234,
        final_loss=1.18765,
        final_loss_steps=653,
        held_out_loss=1.24321,
        seconds=19_840.4,
        peak_memory_bytes=21_474_836_480,
        trained_dtype="bfloat16",
        hardware=Hardware(device="NVIDIA GeForce RTX 4090", memory_bytes=25_769_803_776),
        energy_kwh=1.9,
        emissions_grams=1280.0,
        country="Indonesia",
        versions={"python": "3.11.7", "cogsym-toolkit": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0"},
        date="2026-11-20",
    )


def _delta(base: BaseInfo) -> DeltaInfo:
    tensors = [_tensor("model.embed_tokens.weight", None, 131_072_000, 2e-5)]
    for layer in LAYERS:
        for part, weights in PARTS.items():
            strength = 9e-5 if layer > 16 else 6e-5
            tensors.append(
                _tensor(f"model.layers.{layer}.{part}.weight", layer, weights, strength * (1 + len(part) % 5 / 5))
            )
    tensors.append(_tensor("lm_head.weight", None, 131_072_000, 4e-5))
    return DeltaInfo(
        format_version="1.0",
        file="delta.safetensors",
        size_bytes=902_114_332,
        sha256=DELTA_SHA256,
        base=base,
        base_fingerprint=BASE_FINGERPRINT,
        merged_fingerprint="f" * 64,
        tensors=tuple(tensors),
    )


def _tensor(name: str, layer: int | None, weights: int, rms: float) -> TensorChange:
    return TensorChange(name=name, layer=layer, weights=weights, changed=weights * 9 // 10, size_bytes=1, rms=rms)
