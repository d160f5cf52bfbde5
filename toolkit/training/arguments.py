"""A recipe in the words of transformers' Trainer."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import TrainingArguments

from toolkit.recipe import Recipe
from toolkit.training.distributed import accumulation_steps, micro_batch_size, sharded
from toolkit.training.dtypes import autocast_dtype
from toolkit.training.reporting import trainer_reporters


def training_arguments(
    recipe: Recipe, checkpoints: Path, examples: int, *, measures_loss: bool, name: str
) -> TrainingArguments:
    """What Trainer needs to know for one phase.

    Args:
        checkpoints: folder to keep them in.
        examples: how many there are after the too long ones are left out.
        measures_loss: whether there are rows held out on which the loss is measured at every checkpoint.
        name: of the run, where it is reported.
    """
    steps = recipe.steps(examples)
    on_gpu = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=steps,
        per_device_train_batch_size=micro_batch_size(recipe),
        gradient_accumulation_steps=accumulation_steps(recipe),
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=round(recipe.warmup_share * steps),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        bf16=autocast_dtype(recipe) == torch.bfloat16,
        fp16=autocast_dtype(recipe) == torch.float16,
        use_cpu=not on_gpu,
        ddp_find_unused_parameters=False,
        # Gradients that wait for the last forward pass of a step would wait unsharded, whole on each card.
        accelerator_config={"gradient_accumulation_kwargs": {"sync_each_batch": True}} if sharded() else None,
        seed=recipe.seed,
        data_seed=recipe.seed,
        save_strategy="steps",
        save_steps=recipe.checkpoint_steps,
        save_total_limit=2,
        eval_strategy="steps" if measures_loss else "no",
        eval_steps=recipe.checkpoint_steps if measures_loss else None,
        per_device_eval_batch_size=micro_batch_size(recipe),
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
        project="cogsym",  # in trackio; W&B asks WANDB_PROJECT
        run_name=name,
    )
    if arguments.n_gpu > 1:  # Trainer would multiply the batch and wrap the model in DataParallel, without autocast
        arguments._n_gpu = 1
    return arguments
