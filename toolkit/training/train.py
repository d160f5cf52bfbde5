"""Trains the selected weights of a base and leaves them, with a record of how, in the run folder."""

from __future__ import annotations

import datetime
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from transformers import PrinterCallback, ProgressCallback, TrainingArguments

from toolkit.delta.checkpoint import open_checkpoint
from toolkit.environment import hardware, package_versions
from toolkit.errors import MissingPartError, OutputError, TrainingError
from toolkit.recipe import Recipe, portable
from toolkit.records import BaseInfo, SelectionInfo, TrainingRecord
from toolkit.run_folder import RunFolder
from toolkit.training.batches import ExampleDataset, pad
from toolkit.training.curve import draw_loss_curve
from toolkit.training.mixture import Mixture
from toolkit.training.trainer import PartialTrainer, TrainingStep, Watch, trained_tensors


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
        resume: continue from the newest whole checkpoint in the run folder, where there is one.

    Raises:
        TrainingError: if the run was interrupted, ran out of memory, or its loss is not finite.
        CorpusError, BaseModelError: if data or base cannot be used.
    """
    from toolkit.pretrained import load_base

    started = time.monotonic()
    model, tokenizer = load_base(base, dtype=frozen_dtype(recipe))
    _freeze_all_but(model, selection, trained_dtype(recipe))
    dataset = ExampleDataset(tokenizer, mixture.examples, recipe.max_tokens)
    run.root.mkdir(parents=True, exist_ok=True)
    watch = Watch(run.metrics, report)
    trainer = PartialTrainer(
        model=model,
        args=_arguments(recipe, run, len(dataset)),
        train_dataset=dataset,
        data_collator=pad,
        callbacks=[watch],
    )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    checkpoint = last_checkpoint(run.checkpoints) if resume else None
    if checkpoint is None:
        run.metrics.unlink(missing_ok=True)
    _run(trainer, watch, checkpoint)

    save_trained(model, base, run.trained)
    draw_loss_curve(run.metrics, run.figures / "loss.png")
    shutil.rmtree(run.checkpoints, ignore_errors=True)
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
        seconds=round(time.monotonic() - started, 1),
        peak_memory_bytes=_peak_memory_bytes(),
        trained_dtype=str(trained_dtype(recipe)).removeprefix("torch."),
        hardware=hardware(),
        versions=package_versions(),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    record.write(run.training_record)
    return record


def save_trained(model: Any, base: Path, folder: Path) -> Path:
    """Save the parameters that train, in the dtype they have in the base, as one safetensors file.

    Where training kept them in a dtype that cannot hold the base exactly (a float16 base trained in bfloat16), what
    was learned is added to the base's own weights, so that rounding on loading never shows up as a change.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.safetensors"
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
    whole = [path for path in folder.glob("checkpoint-*") if (path / "trainer_state.json").is_file()]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


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


def _arguments(recipe: Recipe, run: RunFolder, examples: int) -> TrainingArguments:
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
        logging_steps=max(1, min(10, steps // 20)),
        logging_nan_inf_filter=False,
        include_num_input_tokens_seen="non_padding",
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
        disable_tqdm=True,
        report_to=[],
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
    except KeyboardInterrupt:
        raise TrainingError(
            f"stopped at once, at step {trainer.state.global_step}",
            "`cogsym train --resume RUN` continues from the last checkpoint",
        ) from None
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"out of memory at step {trainer.state.global_step}",
            "lower `micro_batch_size` or `max_tokens`, set `gradient_checkpointing: true` or `optimizer: adamw_8bit`",
        ) from error
    except SafetensorError as error:
        raise OutputError(
            f"a checkpoint could not be written: {error}", "free some space, then `cogsym train --resume RUN`"
        ) from error
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
