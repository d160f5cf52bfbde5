"""What a run was begun with, so that going on with something else is refused instead of recorded as one run."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from toolkit.delta.checkpoint import DEFAULT_THREADS, Reader, open_checkpoint
from toolkit.delta.safetensors_file import TensorSpan
from toolkit.errors import OutputError
from toolkit.recipe import Recipe, portable
from toolkit.records import Beginning, SelectionInfo
from toolkit.run_folder import RunFolder
from toolkit.training.mixture import Mixture
from toolkit.training.trainer import holds_checkpoint

FREE = ("micro_batch_size", "gradient_checkpointing", "backend", "report_to", "checkpoint_steps")
"""Fields that decide how a run gets there, not where: they may be edited between its parts."""
# These say where rows and base lie, or act through the rows alone: rows and base are compared themselves.
_ACT_THROUGH_OTHERS = ("base", "base_revision", "evaluation", "on_leak")
_OF_A_SOURCE = ("kind", "language", "columns", "directions", "limit", "weight")
_SAMPLES, _SAMPLE_BYTES = 16, 4096
_BESIDE_THE_WEIGHTS = (
    "config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.*",
)


def beginning_of(recipe: Recipe, base: Path, mixture: Mixture, selection: SelectionInfo) -> Beginning:
    """What a run that begins now is begun with."""
    return Beginning(
        recipe=portable(recipe).model_dump(mode="json"),
        data=mixture.sources,
        base=sampled_fingerprint(base),
        selection=_fingerprint_of_selection(selection),
    )


def has_progress(run: RunFolder) -> bool:
    """Whether something of this run is trained; if not, resuming begins it anew."""
    return holds_checkpoint(run.checkpoints) or any(run.trained.glob("*.safetensors"))


def refuse_another_beginning(run: RunFolder, now: Beginning) -> None:
    """Raise where a run would go on with something else than it was begun with.

    Runs of earlier versions, which did not write it down, pass.

    Raises:
        OutputError: naming what differs.
    """
    if not run.beginning.is_file():
        return
    before = Beginning.read(run.beginning)
    differing = differences(before, now)
    if not differing and before.selection != now.selection:
        differing.append(f"{run.selection} names other weights to train")
    if differing:
        raise OutputError(
            f"the run in {run.root} was begun with something else: {'; '.join(differing)}",
            f"put that back, or start another run with --out; {', '.join(FREE[:-1])} and {FREE[-1]} may be changed in "
            f"{run.recipe} (with keep_best, not {FREE[-1]})",
        )


def differences(before: Beginning, now: Beginning) -> list[str]:
    """In what recipe, data and base differ so that something else would be learned, in words."""
    differing = _differences_of_recipes(before.recipe, now.recipe)
    if len(before.data) != len(now.data):
        differing.append(f"sources of data were {len(before.data)}, are {len(now.data)}")
    for old, new in zip(before.data, now.data, strict=False):
        if (old.role, old.fingerprint, old.held_out) != (new.role, new.fingerprint, new.held_out):
            differing.append(f"{new.name} gave {old.rows:,} rows, gives {new.rows:,}, and they are not the same")
    if before.base != now.base:
        differing.append("the base's files hold something else")
    return differing


def _differences_of_recipes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    aside = {*FREE, *_ACT_THROUGH_OTHERS}
    if before.get("keep_best"):  # which is chosen among the checkpoints
        aside -= {"checkpoint_steps"}
    differing = []
    for field in before.keys() & now.keys() - aside:  # a field of a newer version had its default before
        old, new = before[field], now[field]
        if field in ("data", "replay"):
            for number, (one, other) in enumerate(zip(old, new, strict=False)):
                differing += [
                    f"{field}.{number}.{key} was {one.get(key)}, is {other.get(key)}"
                    for key in _OF_A_SOURCE
                    if one.get(key) != other.get(key)
                ]
        elif old != new:
            differing.append(f"{field} was {old}, is {new}")
    return sorted(differing)


def sampled_fingerprint(base: Path) -> str:
    """sha256 over a base's config and tokenizer, the layout of its tensors, and evenly spaced parts of each of them.

    Of a tensor of more than 64 KiB, 16 blocks of 4 KiB are read: another base, or one trained further, differs in
    them, and 13 GB take a second. That the delta is made of the very weights is `delta.extract`'s to prove.
    """
    digest = hashlib.sha256()
    beside = {path for pattern in _BESIDE_THE_WEIGHTS for path in base.glob(pattern) if path.is_file()}
    for path in sorted(beside):
        digest.update(f"{path.name}\t{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    with Reader() as reader, ThreadPoolExecutor(DEFAULT_THREADS) as pool:

        def line(span: TensorSpan) -> str:
            return f"{span.name}\t{span.dtype}\t{span.shape}\t{_sampled(reader, span)}\n"

        for text in pool.map(line, open_checkpoint(base).tensors.values()):
            digest.update(text.encode())
    return digest.hexdigest()


def _sampled(reader: Reader, span: TensorSpan) -> str:
    digest, size = hashlib.sha256(), span.size_bytes
    if size <= _SAMPLES * _SAMPLE_BYTES:
        parts = [(0, size)]
    else:
        last = size - _SAMPLE_BYTES
        parts = [(last * number // (_SAMPLES - 1), _SAMPLE_BYTES) for number in range(_SAMPLES)]
    for start, length in parts:
        block = bytearray(length)
        reader.read_into(span, start, memoryview(block))
        digest.update(block)
    return digest.hexdigest()


def _fingerprint_of_selection(selection: SelectionInfo) -> str:
    neurons = sorted((selection.neurons or {}).items())
    return hashlib.sha256(json.dumps([selection.parameters, neurons]).encode()).hexdigest()
