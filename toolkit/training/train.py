"""Trains the selected weights of a base and leaves them, with a record of how, in the run folder."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, ProgressCallback, TrainerState

from toolkit.errors import TrainingStopped
from toolkit.freeing import count_peak_from_here, free_memory
from toolkit.recipe import Recipe
from toolkit.records import BaseInfo, SelectionInfo, TrainingRecord
from toolkit.run_folder import RunFolder
from toolkit.selection import read_layout
from toolkit.training.activations import checkpoint_activations
from toolkit.training.arguments import training_arguments
from toolkit.training.backends import load_to_train
from toolkit.training.batches import ExampleDataset, pad
from toolkit.training.curve import draw_loss_curve
from toolkit.training.distributed import ShardedParameters, leads
from toolkit.training.energy import EnergyMeter
from toolkit.training.failures import explained
from toolkit.training.methods import make_trainable, method_of
from toolkit.training.metrics import keep_metrics_until
from toolkit.training.mixture import Mixture
from toolkit.training.optimizers import optimizer_of
from toolkit.training.phases import enter, phases_of
from toolkit.training.preflight import preflight
from toolkit.training.record import make_record
from toolkit.training.reporting import tensorboard_callbacks
from toolkit.training.snapshots import SnapshotCallback, Snapshots
from toolkit.training.trained import check_names, count_trained, save_trained, with_twin
from toolkit.training.trainer import PartialTrainer, finished, last_checkpoint, restore, steps_at
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
    snapshots: Snapshots | None = None,
) -> TrainingRecord:
    """Train, then save the trained tensors (in the base's dtype), a LoRA run's adapter, and the training record.

    Of several processes (see distributed.py), the one that leads saves.

    Frozen weights get no gradient and no optimiser state; nothing is computed backwards below the lowest layer that
    trains. Ctrl-C saves a checkpoint first. Resuming a run that was trained to its end returns its record.

    Args:
        base: folder with the base's config, weights and tokenizer.
        selection: which weights train.
        report: called after each step.
        resume: continue from the newest whole checkpoint in the run folder, where there is one.
        snapshots: weights wanted on the way.

    Raises:
        TrainingStopped: if the run was interrupted.
        TrainingError: if it ran out of memory, or its loss is not finite.
        CorpusError, BaseModelError: if data or base cannot be used.
        MissingPartError, SelectionError: if the recipe asks for what this machine or the selection cannot give.
    """
    if resume and run.training_record.is_file() and any(run.trained.glob("*.safetensors")):
        return run.read_training()
    started = time.monotonic()
    layout = read_layout(base)
    preflight(recipe, selection, layout)
    check_names(selection, base)
    phases = phases_of(recipe, selection, layout)
    count_peak_from_here()
    model, tokenizer = load_to_train(recipe, selection, base)
    trained = with_twin(make_trainable(model, recipe, selection), layout, base)
    n_trained, sharded = count_trained(trained), ShardedParameters(model, trained)
    if recipe.gradient_checkpointing:
        checkpoint_activations(model)
    dataset = ExampleDataset(tokenizer, mixture.examples, recipe.max_tokens)
    held_out = ExampleDataset(tokenizer, mixture.held_out, recipe.max_tokens) if mixture.held_out else None
    run.root.mkdir(parents=True, exist_ok=True)
    checkpoints = [run.phase_checkpoints(phase.name) for phase in phases]
    if not resume and leads():
        shutil.rmtree(run.checkpoints, ignore_errors=True)
    steps = recipe.steps(len(dataset))
    resumed = any(map(last_checkpoint, checkpoints))
    if leads():
        keep_metrics_until(run.metrics, sum(map(steps_at, checkpoints)))

    watch = Watch(run.metrics, report, steps=steps * len(phases))
    with EnergyMeter() as energy, explained(lambda: watch.step, run):
        for phase, folder in zip(phases, checkpoints, strict=True):
            enter(phase, trained)
            done = finished(folder, steps)
            if done is None:
                callbacks = [sharded, *tensorboard_callbacks(recipe, run.tensorboard)]
                if snapshots is not None:
                    callbacks.append(SnapshotCallback(snapshots, trained, base, watch))
                state = _train_phase(model, recipe, dataset, held_out, folder, watch, callbacks, run.root.name)
                free_memory()  # of this phase's optimiser, before the next one has its own
            else:
                state = restore(model, done)
            watch.passed(state)
            if recipe.keep_best and state.best_model_checkpoint:
                restore(model, folder / Path(state.best_model_checkpoint).name)
        sharded.gather(model)
        if leads():
            save_trained(trained, base, run.trained)
            if method_of(recipe, selection) == "lora":
                from toolkit.training.lora import save_adapter

                save_adapter(model, run.adapter, base_info.id)
    record = make_record(
        recipe,
        mixture,
        base_info,
        selection,
        run,
        watch=watch,
        dataset=dataset,
        trained_parameters=n_trained,
        seconds=time.monotonic() - started,
        energy=None if resumed else energy,
    )
    if leads():
        draw_loss_curve(run.metrics, run.figures / "loss.png")
        record.write(run.training_record)
        shutil.rmtree(run.checkpoints, ignore_errors=True)  # last, so that nothing that was trained is ever lost
    return record


def _train_phase(
    model: Any,
    recipe: Recipe,
    dataset: ExampleDataset,
    held_out: ExampleDataset | None,
    checkpoints: Path,
    watch: Watch,
    callbacks: list[Any],
    name: str,
) -> TrainerState:
    """All steps of one phase, from its newest checkpoint where there is one."""
    trainer = PartialTrainer(
        model=model,
        args=training_arguments(recipe, checkpoints, len(dataset), measures_loss=held_out is not None, name=name),
        optimizer_cls_and_kwargs=optimizer_of(recipe, model),
        train_dataset=dataset,
        eval_dataset=held_out,
        data_collator=pad,
        callbacks=[watch, *callbacks],
    )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    checkpoint = last_checkpoint(checkpoints)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        watch.restore_signal()
    if watch.interrupted:
        raise TrainingStopped(
            f"stopped at step {watch.step} of {watch.steps}; a checkpoint is saved",
            "`cogsym train --resume RUN` goes on from there",
        )
    return trainer.state
