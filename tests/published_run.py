"""A small run folder, made on the fly, that passes every check before publishing; the delta is opaque bytes."""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from hub_cards import write_card
from toolkit.records import (
    BaseInfo,
    DeltaConfig,
    DeltaInfo,
    EvaluationRecord,
    Hardware,
    Score,
    SelectionInfo,
    TensorChange,
    TrainingRecord,
)
from toolkit.run_folder import RunFolder

FINGERPRINT = "b" * 64
TENSOR = "model.layers.0.mlp.up_proj.weight"
BASE = BaseInfo(
    id="tests/tiny-base",
    revision="c" * 40,
    architecture="LlamaForCausalLM",
    dtype="BF16",
    n_layers=4,
    n_weights=1000,
    size_bytes=2000,
    licence="apache-2.0",
)
SELECTION = SelectionInfo(
    method="cogsym",
    budget="2",
    layers=(0, 3),
    n_layers=4,
    embeddings=True,
    head=True,
    final_norm=False,
    parameters=(TENSOR,),
    trained_weights=250,
    total_weights=1000,
)
REPO = "org/tiny-jav"
"""What the cards of these runs call themselves."""


def make_run(
    root: Path,
    *,
    delta: bytes = b"delta " * 200,
    base: BaseInfo = BASE,
    score: float = 71.234,
    repo_id: str = REPO,
) -> RunFolder:
    """A complete run at this place, card and figures included, with all that stays at home too."""
    shutil.copytree(_made(delta, base, score, repo_id), root)
    return RunFolder(root)


@functools.cache
def _made(delta: bytes, base: BaseInfo, score: float, repo_id: str) -> Path:
    # Drawing the figures takes longer than most tests, so each kind of run is made once and copied.
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    run = RunFolder(Path(folder.name) / "run")
    for place in (run.checkpoints, run.trained, run.tasks, run.samples):
        place.mkdir(parents=True)
    run.recipe.write_text("language: jav\n")
    run.metrics.write_text('{"loss": 1.0}\n')
    (run.checkpoints / "optimizer.pt").write_bytes(b"\x80\x04 pickled")
    (run.trained / "model.safetensors").write_bytes(b"trained")
    (run.tasks / "eng_jav.jsonl").write_text("{}\n")
    run.delta.write_bytes(delta)
    sample = {"source": "water", "reference": "banyu", "hypothesis": "banyu"}
    run.samples.joinpath("eng_jav.jsonl").write_text(json.dumps(sample) + "\n")
    _write_records(run, delta, base, score)
    write_card(run, name=repo_id)
    return run.root


def _write_records(run: RunFolder, delta: bytes, base: BaseInfo, score: float) -> None:
    sha256 = hashlib.sha256(delta).hexdigest()
    DeltaConfig(
        format_version="1.0",
        language="jav",
        known_languages=("ind",),
        directions=("eng>jav",),
        prompt="alpaca",
        max_tokens=64,
        base=base,
        base_fingerprint=FINGERPRINT,
        selection=SELECTION,
        delta_sha256=sha256,
    ).write(run.config)
    TrainingRecord(
        language="jav",
        base=base,
        selection=SELECTION,
        data=(),
        recipe={"language": "jav"},
        recipe_changes={},
        steps=10,
        examples=100,
        tokens=1000,
        first_loss=3.0,
        final_loss=1.0,
        seconds=5.0,
        trained_dtype="F32",
        hardware=Hardware(device="CPU, 1 thread"),
        versions={"toolkit": "0.1.0"},
        date="2026-11-20",
    ).write(run.training_record)
    DeltaInfo(
        format_version="1.0",
        file=run.delta.name,
        size_bytes=len(delta),
        sha256=sha256,
        base=base,
        base_fingerprint=FINGERPRINT,
        merged_fingerprint="d" * 64,
        tensors=(TensorChange(name=TENSOR, layer=0, weights=250, changed=200, size_bytes=len(delta), rms=1e-3),),
    ).write(run.delta_info)
    _evaluation(score, sha256).write(run.evaluation_records / "adapted_eng_jav.json")


def _evaluation(score: float, sha256: str) -> EvaluationRecord:
    return EvaluationRecord(
        task="pocket_eng_jav",
        model="adapted",
        direction="eng>jav",
        role="target",
        dataset="pocket phrasebook",
        data_fingerprint="e" * 64,
        n=100,
        shots=0,
        seeds=(0,),
        prompts_sha256=("0" * 64,),
        prompt="alpaca",
        example_prompt="Translate: water",
        decoding={"num_beams": 1},
        scores=(Score(metric="chrF++", value=score, signature="nrefs:1|case:mixed"),),
        base_fingerprint=FINGERPRINT,
        delta_sha256=sha256,
        seconds=1.0,
        versions={},
        samples=("eng_jav.jsonl",),
    )
