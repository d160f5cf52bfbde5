"""Tokens per second and peak memory of the ways to train, at the shape of Llama-2-7B with random weights.

    python tests/gpu/training_speed.py        # writes tests/gpu/training_speed.json

Beside the toolkit's ways stands plain freeze-tuning: the same parameters, made trainable by hand and given to
transformers' Trainer with its own gradient checkpointing. Not yet run on a GPU.
"""

from __future__ import annotations

import datetime
import gc
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, Trainer, TrainerCallback
from transformers.trainer_utils import SaveStrategy
from transformers.training_args import OptimizerNames

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks" / "training"))
from planned import random_neurons, recipe_of

from toolkit.environment import REPORTED, hardware, package_versions
from toolkit.recipes import known_config
from toolkit.selection import layout_of, resolve_selection
from toolkit.training.activations import checkpoint_activations
from toolkit.training.arguments import training_arguments
from toolkit.training.batches import pad
from toolkit.training.methods import make_trainable
from toolkit.training.optimizers import optimizer_of
from toolkit.training.phases import enter, phases_of
from toolkit.training.quantized import quantize_frozen
from toolkit.training.trainer import PartialTrainer

RESULTS = Path(__file__).with_suffix(".json")
ROUNDS, STEPS, WARM_UP = 3, 8, 3
TOKENS = 512  # of every example
COMMON: dict[str, Any] = {
    "select": "cogsym:25%",
    "batch_size": 8,
    "micro_batch_size": 4,
    "max_steps": STEPS,
    "optimizer": "adamw_8bit",
    "trained_dtype": "bfloat16",
    "gradient_checkpointing": True,
}
PLAIN, NEURONS = "plain freeze-tuning", "1% of neurons"
SMALLEST = "cogsym:25%, 4-bit middle, one example at a time"  # as on a card with 16 GB
WAYS: dict[str, dict[str, Any]] = {
    "full": {"select": "full"},
    PLAIN: {},
    "cogsym:25%": {},
    "cogsym:25%, 4-bit middle": {"frozen": "4bit"},
    SMALLEST: {"frozen": "4bit", "micro_batch_size": 1},
    "cogsym:25%, front alone": {"order": "front_then_rear"},
    "cogsym:25%, rear alone": {"order": "rear_then_front"},
    "LoRA on cogsym:25%": {"method": "lora"},
    NEURONS: {"select": "full"},
}


class Clock(TrainerCallback):
    """When each step ended, with the card's work done."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())

    @property
    def step_seconds(self) -> float:
        """Median, the first steps left out."""
        pairs = zip(self.ends[WARM_UP - 1 :], self.ends[WARM_UP:], strict=False)
        return statistics.median(later - earlier for earlier, later in pairs)


class RandomExamples(torch.utils.data.Dataset[dict[str, Any]]):
    """Examples of one length; the loss is on their second half."""

    column_names = ("input_ids", "labels", "length")

    def __init__(self, vocabulary: int, count: int) -> None:
        rows = torch.randint(3, vocabulary, (count, TOKENS), generator=torch.Generator().manual_seed(0)).tolist()
        half = TOKENS // 2
        self.items = [{"input_ids": row, "labels": [-100] * half + row[half:], "length": TOKENS} for row in rows]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int | str) -> Any:
        return [item[index] for item in self.items] if isinstance(index, str) else self.items[index]


def measure(name: str, config: Any, device: torch.device) -> dict[str, Any]:
    """One short run of this way."""
    recipe = recipe_of(COMMON | WAYS[name])
    on_card = device.type == "cuda"
    if on_card:
        torch.cuda.reset_peak_memory_stats()
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    layout = layout_of(model)
    selection = random_neurons(layout, 0.01) if name == NEURONS else resolve_selection(recipe.select, layout)
    if recipe.frozen == "4bit":
        quantize_frozen(model, selection, device)
    if name == PLAIN:
        for parameter_name, parameter in model.named_parameters():
            parameter.requires_grad_(parameter_name in selection.parameters)
    else:
        enter(phases_of(recipe, selection, layout)[0], make_trainable(model, recipe, selection))
        checkpoint_activations(model)
    gc.collect()
    torch.cuda.empty_cache()
    loaded = torch.cuda.memory_allocated() if on_card else 0
    if on_card:  # a base that is loaded from disk is never there in both precisions, as this random one was
        torch.cuda.reset_peak_memory_stats()
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = training_arguments(recipe, Path(folder), STEPS * recipe.batch_size, measures_loss=False, name=name)
        arguments.save_strategy = SaveStrategy.NO
        if name == PLAIN:
            arguments.activation_checkpointing = arguments.gradient_checkpointing = True
            arguments.optim = OptimizerNames.ADAMW_8BIT
        trainer = (Trainer if name == PLAIN else PartialTrainer)(
            model=model,
            args=arguments,
            train_dataset=RandomExamples(config.vocab_size, STEPS * recipe.batch_size),
            data_collator=pad,
            callbacks=[clock],
            optimizer_cls_and_kwargs=None if name == PLAIN else optimizer_of(recipe, model),
        )
        result = trainer.train()
    return {
        "way": name,
        "trained_parameters": sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        "step_seconds": round(clock.step_seconds, 4),
        "tokens_per_second": round(recipe.batch_size * TOKENS / clock.step_seconds, 1),
        "weights_bytes": loaded,
        "peak_bytes": torch.cuda.max_memory_allocated() if on_card else 0,
        "reserved_bytes": torch.cuda.max_memory_reserved() if on_card else 0,  # with what the allocator cannot use
        "loss": round(result.training_loss, 3),
    }


def measure_all(config: Any, device: torch.device) -> dict[str, Any]:
    """Every way, in turns, so that a card that gets warm is unfair to none."""
    points = []
    for turn in range(ROUNDS):
        for name in WAYS if turn % 2 == 0 else reversed(WAYS):
            try:
                points.append(measure(name, config, device) | {"turn": turn})
            except torch.OutOfMemoryError:  # full fine-tuning, on a card of 24 GB
                points.append({"way": name, "turn": turn, "out_of_memory": True})
            gc.collect()
            print(points[-1], flush=True)
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "hardware": hardware().model_dump(),
        "versions": package_versions((*REPORTED, "bitsandbytes", "peft")),
        "tokens": TOKENS,
        "recipe": COMMON,
        "points": points,
    }


def main() -> dict[str, Any]:
    folder = known_config("meta-llama/Llama-2-7b-hf")
    assert folder is not None
    results = measure_all(AutoConfig.from_pretrained(folder), torch.device("cuda"))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


if __name__ == "__main__":
    main()
