"""Trains the selected weights of a base and leaves them, with a record of how, in the run folder."""

from __future__ import annotations

import datetime
import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PrinterCallback, ProgressCallback

from toolkit.environment import REPORTED, hardware, package_versions
from toolkit.errors import OutputError, TrainingError
from toolkit.recipe import Recipe, portable
from toolkit.records import BaseInfo, SelectionInfo, TrainingRecord
from toolkit.run_folder import RunFolder
from toolkit.selection import read_layout
from toolkit.training.activations import checkpoint_activations
from toolkit.training.arguments import steps_of, training_arguments
from toolkit.training.backends import backend_of, load_to_train
from toolkit.training.batches import ExampleDataset, pad
from toolkit.training.curve import draw_loss_curve
from toolkit.training.distributed import ShardedParameters, leads
from toolkit.training.dtypes import trained_dtype
from toolkit.training.methods import make_trainable, method_of
from toolkit.training.mixture import Mixture
from toolkit.training.phases import enter, phases_of
from toolkit.training.preflight import preflight
from toolkit.training.trained import TrainedTensor, count_trained, save_trained
from toolkit.training.trainer import PartialTrainer, finished, last_checkpoint, restore
from toolkit.training.watch import TrainingStep, Watch


def train(
    recipe: Recipe,
    mixture: Mixture,
    base: Path,
    base_info: BaseInfo,
    selection: SelectionInfo,
    run: RunFolder,
    *,
    report: Callable[[TrainingStep], None] | None = None,
    resume: bool = False,
) -> TrainingRecord:
    """Train, then save the trained tensors (in the base's dtype), a LoRA run's adapter, and the training record.

    Of several processes (see distributed.py), the one that leads saves.

    Frozen weights get no gradient and no optimiser state; nothing is computed backwards below the lowest layer that
    trains. Ctrl-C saves a checkpoint first.

    Args:
        base: folder with the base's config, weights and tokenizer.
        selection: which weights train.
        report: called after each step.
        resume: continue from the newest whole checkpoint in the run folder, where there is one.

    Raises:
        TrainingError: if the run was interrupted, ran out of memory, or its loss is not finite.
        CorpusError, BaseModelError: if data or base cannot be used.
        MissingPartError, SelectionError: if the recipe asks for what this machine or the selection cannot give.
    """
    started = time.monotonic()
    layout = read_layout(base)
    preflight(recipe, selection, layout)
    phases = phases_of(recipe, selection, layout)
    model, tokenizer = load_to_train(recipe, selection, base)
    trained = make_trainable(model, recipe, selection)
    n_trained, sharded = count_trained(trained), ShardedParameters(model, trained)
    if recipe.gradient_checkpointing and backend_of(recipe) == "transformers":
        checkpoint_activations(model)
    dataset = ExampleDataset(tokenizer, mixture.examples, recipe.max_tokens)
    run.root.mkdir(parents=True, exist_ok=True)
    checkpoints = [run.phase_checkpoints(phase.name) for phase in phases]
    if not resume and leads():
        shutil.rmtree(run.checkpoints, ignore_errors=True)
    if leads() and not any(map(last_checkpoint, checkpoints)):
        run.metrics.unlink(missing_ok=True)

    steps = steps_of(recipe, len(dataset))
    watch = Watch(run.metrics, report, steps=steps * len(phases))
    for phase, folder in zip(phases, checkpoints, strict=True):
        enter(phase, trained)
        done = finished(folder, steps)
        if done is not None:
            watch.passed(restore(model, done))
            continue
        _train_phase(model, recipe, dataset, folder, [watch, sharded])

    sharded.gather(model)
    record = TrainingRecord(
        language=recipe.language,
        base=base_info,
        selection=selection,
        method=method_of(recipe, selection),
        trained_parameters=n_trained,
        backend=backend_of(recipe),
        data=mixture.sources,
        recipe=portable(recipe).model_dump(mode="json"),
        recipe_changes=portable(recipe).changes(),
        steps=watch.steps_done,
        examples=len(dataset),
        too_long=dataset.too_long,
        tokens=watch.tokens_done,
        first_loss=watch.first_loss if watch.first_loss is not None else float("nan"),
        final_loss=watch.last_loss if watch.last_loss is not None else float("nan"),
        seconds=round(time.monotonic() - started, 1),
        peak_memory_bytes=_peak_memory_bytes(),
        trained_dtype=str(trained_dtype(recipe)).removeprefix("torch."),
        hardware=hardware(),
        versions=package_versions((*REPORTED, *_used_packages(recipe))),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    if leads():
        _save(record, model, trained, base, run)
    return record


def _save(record: TrainingRecord, model: Any, trained: Sequence[TrainedTensor], base: Path, run: RunFolder) -> None:
    save_trained(trained, base, run.trained)
    if record.method == "lora":
        from toolkit.training.lora import save_adapter

        save_adapter(model, run.adapter, record.base.id)
    draw_loss_curve(run.metrics, run.figures / "loss.png")
    shutil.rmtree(run.checkpoints, ignore_errors=True)
    record.write(run.training_record)


def _train_phase(model: Any, recipe: Recipe, dataset: ExampleDataset, checkpoints: Path, callbacks: list[Any]) -> None:
    """All steps of one phase, from its newest checkpoint where there is one; the first callback is the watch."""
    watch: Watch = callbacks[0]
    trainer = PartialTrainer(
        model=model,
        args=training_arguments(recipe, checkpoints, len(dataset)),
        train_dataset=dataset,
        data_collator=pad,
        callbacks=callbacks,
    )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    checkpoint = last_checkpoint(checkpoints)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except KeyboardInterrupt:
        raise TrainingError(
            f"stopped at once, at step {watch.steps_done + trainer.state.global_step}",
            "`cogsym train --resume RUN` continues from the last checkpoint",
        ) from None
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"out of memory at step {watch.steps_done + trainer.state.global_step}",
            "lower `micro_batch_size` or `max_tokens`, set `gradient_checkpointing: true`, `optimizer: adamw_8bit` or "
            "`frozen: 4bit`, or train one end after the other (`order: front_then_rear`)",
        ) from error
    except SafetensorError as error:
        raise OutputError(
            f"a checkpoint could not be written: {error}", "free some space, then `cogsym train --resume RUN`"
        ) from error
    finally:
        watch.restore_signal()
    if watch.interrupted:
        raise TrainingError(
            f"stopped at step {watch.steps_done + trainer.state.global_step} of {watch.steps}; a checkpoint is saved",
            "`cogsym train --resume RUN` goes on from there",
        )
    watch.passed(trainer.state)


def _used_packages(recipe: Recipe) -> list[str]:
    """Optional packages that had a part in the run."""
    used = {
        "peft": recipe.method == "lora",
        "bitsandbytes": recipe.optimizer == "adamw_8bit" or recipe.frozen == "4bit",
        "unsloth": backend_of(recipe) == "unsloth",
    }
    return [package for package, had_a_part in used.items() if had_a_part]


def _peak_memory_bytes() -> int:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
