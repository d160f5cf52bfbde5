"""Trains the selected weights of a base and leaves them, with a record of how, in the run folder."""

from __future__ import annotations

import datetime
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import PrinterCallback, ProgressCallback, TrainingArguments

from toolkit.delta.checkpoint import open_checkpoint
from toolkit.environment import hardware, package_versions
from toolkit.errors import MissingPartError, TrainingError
from toolkit.recipe import Recipe, portable
from toolkit.records import BaseInfo, SelectionInfo, TrainingRecord
from toolkit.run_folder import RunFolder
from toolkit.training.batches import ExampleDataset, pad
from toolkit.training.curve import draw_loss_curve
from toolkit.training.energy import EnergyMeter
from toolkit.training.failures import explained
from toolkit.training.metrics import keep_metrics_until, read_metrics
from toolkit.training.mixture import Mixture
from toolkit.training.reporting import require_reporters, tensorboard_callbacks, trainer_reporters
from toolkit.training.trainer import PartialTrainer, TrainingStep, Watch, trained_tensors

TRAINED_WEIGHTS = "model.safetensors"


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
    """Train, then save the trained tensors (in the base's dtype) and the training record.

    Frozen weights get no gradient and no optimiser state; nothing is computed backwards below the lowest layer that
    trains. Ctrl-C saves a checkpoint first.

    Args:
        base: folder with the base's config, weights and tokenizer.
        selection: which weights train.
        report: called after each step.
        resume: continue from the newest whole checkpoint in the run folder, where there is one; a run that was only
            left without its delta is not trained again.

    Raises:
        TrainingError: if the run was interrupted, ran out of memory, or its loss is not finite.
        CorpusError, BaseModelError: if data or base cannot be used.
    """
    from toolkit.pretrained import load_base

    if resume and run.training_record.is_file() and (run.trained / TRAINED_WEIGHTS).is_file():
        return run.read_training()
    require_reporters(recipe)
    started = time.monotonic()
    model, tokenizer = load_base(base, dtype=frozen_dtype(recipe))
    _freeze_all_but(model, selection, trained_dtype(recipe))
    dataset = ExampleDataset(tokenizer, mixture.examples, recipe.max_tokens)
    held_out = ExampleDataset(tokenizer, mixture.held_out, recipe.max_tokens) if mixture.held_out else None
    run.root.mkdir(parents=True, exist_ok=True)
    watch = Watch(run.metrics, report)
    trainer = PartialTrainer(
        model=model,
        args=_arguments(recipe, run, len(dataset), measures_loss=held_out is not None),
        train_dataset=dataset,
        eval_dataset=held_out,
        data_collator=pad,
        callbacks=[watch, *tensorboard_callbacks(recipe, run.tensorboard)],
    )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    checkpoint = last_checkpoint(run.checkpoints) if resume else None
    if checkpoint is None:
        run.metrics.unlink(missing_ok=True)
    else:
        keep_metrics_until(run.metrics, int(checkpoint.name.rpartition("-")[2]))
    with EnergyMeter() as energy, explained(lambda: trainer.state.global_step):
        _run(trainer, watch, checkpoint)
        if recipe.keep_best and trainer.state.best_model_checkpoint:
            trainer.load_trained(Path(trainer.state.best_model_checkpoint))
        save_trained(model, base, run.trained)
    draw_loss_curve(run.metrics, run.figures / "loss.png")
    record = TrainingRecord(
        language=recipe.language,
        base=base_info,
        selection=selection,
        data=mixture.sources,
        recipe=portable(recipe).model_dump(mode="json"),
        recipe_changes=portable(recipe).changes(),
        steps=trainer.state.global_step,
        examples=len(dataset),
        too_long=dataset.too_long,
        tokens=trainer.state.num_input_tokens_seen,
        first_loss=watch.first_loss if watch.first_loss is not None else float("nan"),
        final_loss=watch.last_loss if watch.last_loss is not None else float("nan"),
        held_out_loss=_held_out_loss(recipe, run),
        seconds=round(time.monotonic() - started, 1),
        peak_memory_bytes=_peak_memory_bytes(),
        trained_dtype=str(trained_dtype(recipe)).removeprefix("torch."),
        hardware=hardware(),
        energy_kwh=energy.kwh if checkpoint is None else None,
        versions=package_versions(),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    record.write(run.training_record)
    shutil.rmtree(run.checkpoints, ignore_errors=True)  # last, so that nothing that was trained is ever lost
    return record


def _held_out_loss(recipe: Recipe, run: RunFolder) -> float | None:
    """The loss of the saved weights on the held-out rows."""
    losses = [line["held_out_loss"] for line in read_metrics(run.metrics) if "held_out_loss" in line]
    if not losses:
        return None
    return float(min(losses) if recipe.keep_best else losses[-1])


def save_trained(model: Any, base: Path, folder: Path) -> Path:
    """Save the parameters that train, in the dtype they have in the base, as one safetensors file.

    Where training kept them in a dtype that cannot hold the base exactly (a float16 base trained in bfloat16), what
    was learned is added to the base's own weights, so that rounding on loading never shows up as a change.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / TRAINED_WEIGHTS
    originals = open_checkpoint(base).tensors
    tensors = {}
    for name, trained in trained_tensors(model).items():
        with safe_open(originals[name].file, "pt") as file:
            start = file.get_tensor(name)
        if torch.equal(start.to(trained.dtype).to(start.dtype), start):
            tensors[name] = trained.to(start.dtype)
        else:
            learned = trained.float() - start.to(trained.dtype).float()
            tensors[name] = (start.float() + learned).to(start.dtype)
    save_file(tensors, path)
    return path


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written whole: its trainer state is the last file to appear."""
    whole = [path for path in folder.glob("checkpoint-*") if _is_json(path / "trainer_state.json")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def trained_dtype(recipe: Recipe) -> torch.dtype:
    """The dtype of the weights that train, and of their gradients: bfloat16 on a GPU that has it, unless asked for."""
    if recipe.trained_dtype != "auto":
        return torch.float32 if recipe.trained_dtype == "float32" else torch.bfloat16
    return torch.bfloat16 if _has_bfloat16_gpu() else torch.float32


def frozen_dtype(recipe: Recipe) -> torch.dtype:
    """The dtype of the frozen weights: on a CPU that of the trained ones, on a GPU 16 bits."""
    if not torch.cuda.is_available():
        return trained_dtype(recipe)
    return torch.bfloat16 if _has_bfloat16_gpu() else torch.float16


def _has_bfloat16_gpu() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()


def _freeze_all_but(model: Any, selection: SelectionInfo, dtype: torch.dtype) -> None:
    """Let the selected parameters train, in this dtype, and freeze the rest."""
    selected = set(selection.parameters)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in selected)
        if name in selected:
            parameter.data = parameter.data.to(dtype)
    model.config.use_cache = False


def _arguments(recipe: Recipe, run: RunFolder, examples: int, *, measures_loss: bool) -> TrainingArguments:
    micro = recipe.micro_batch_size or recipe.batch_size
    steps = recipe.max_steps or max(1, round(recipe.epochs * examples / recipe.batch_size))
    on_gpu = torch.cuda.is_available()
    if recipe.optimizer == "adamw_8bit":
        require_bitsandbytes()
    return TrainingArguments(
        output_dir=str(run.checkpoints),
        max_steps=steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=recipe.batch_size // micro,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=round(recipe.warmup_share * steps),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        optim="adamw_bnb_8bit" if recipe.optimizer == "adamw_8bit" else "adamw_torch",
        bf16=torch.bfloat16 in (trained_dtype(recipe), frozen_dtype(recipe)),  # autocast
        use_cpu=not on_gpu,
        gradient_checkpointing=recipe.gradient_checkpointing,
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        seed=recipe.seed,
        data_seed=recipe.seed,
        save_strategy="steps",
        save_steps=recipe.checkpoint_steps,
        save_total_limit=2,
        eval_strategy="steps" if measures_loss else "no",
        eval_steps=recipe.checkpoint_steps if measures_loss else None,
        per_device_eval_batch_size=micro,
        prediction_loss_only=True,
        metric_for_best_model="loss" if measures_loss else None,  # the best checkpoint is kept beside the last
        greater_is_better=False if measures_loss else None,
        logging_steps=max(1, min(10, steps // 20)),
        logging_nan_inf_filter=False,
        include_num_input_tokens_seen="non_padding",
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
        disable_tqdm=True,
        report_to=trainer_reporters(recipe),
        run_name=run.root.name,
    )


def require_bitsandbytes() -> None:
    """Raise unless the 8-bit optimiser can be used."""
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise MissingPartError(
            "`optimizer: adamw_8bit` needs bitsandbytes, which is not installed",
            "pip install 'cogsym-toolkit[8bit]', or use `optimizer: adamw`",
        ) from error


def _run(trainer: PartialTrainer, watch: Watch, checkpoint: Path | None) -> None:
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        watch.restore_signal()
    if watch.interrupted:
        raise TrainingError(
            f"stopped at step {trainer.state.global_step} of {trainer.state.max_steps}; a checkpoint is saved",
            "`cogsym train --resume RUN` goes on from there",
        )


def _peak_memory_bytes() -> int:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
