"""Step time and memory of the ways to train, side by side: full, CogSym, front and rear, neurons, LoRA, 4-bit middle.

    python tests/benchmarks/training/run.py [--quick] [--threads N] [--json results.json]

Every way has a model of its own in memory; they take turns, one step each, in a new random order per round, so that a
machine that drifts is unfair to none. A step is forward, backward, clipping and AdamW in float32, as on a CPU run.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import random
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from planned import random_neurons, recipe_of

from toolkit import pocket
from toolkit.environment import hardware, package_versions
from toolkit.pretrained import load_base
from toolkit.recipe import Recipe
from toolkit.recipes import known_config
from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout, layout_of, read_layout, resolve_selection
from toolkit.training.methods import make_trainable
from toolkit.training.phases import enter, phases_of
from toolkit.training.quantized import quantize_frozen

SUBNETWORK = "1% of neurons"
HELD = "gradients + optimiser"
# name -> fields of the recipe
WAYS: dict[str, dict[str, Any]] = {
    "full": {"select": "full"},
    "cogsym:25%": {"select": "cogsym:25%"},
    "cogsym:25%, front alone": {"select": "cogsym:25%", "order": "front_then_rear"},
    "cogsym:25%, rear alone": {"select": "cogsym:25%", "order": "rear_then_front"},
    "cogsym:25%, 4-bit middle": {"select": "cogsym:25%", "frozen": "4bit"},
    "rear:25%": {"select": "rear:25%"},
    SUBNETWORK: {"select": "full"},
    "LoRA on cogsym:25%": {"select": "cogsym:25%", "method": "lora"},
    "LoRA on full": {"select": "full", "method": "lora"},
}


@dataclass
class Way:
    """One way to train, ready to take steps."""

    name: str
    model: Any
    parameters: list[torch.nn.Parameter]
    optimizer: torch.optim.Optimizer
    seconds: list[float]

    def step(self, ids: torch.Tensor) -> float:
        started = time.perf_counter()
        self.model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.perf_counter() - started

    def memory_bytes(self) -> int:
        """Gradients and optimiser state, counted tensor by tensor during a step."""
        states = self.optimizer.state.values()
        state = sum(value.nbytes for values in states for value in values.values() if torch.is_tensor(value))
        return state + sum(parameter.nbytes for parameter in self.parameters)  # a gradient is as large


def selection_of(name: str, recipe: Recipe, layout: ModelLayout) -> SelectionInfo:
    return random_neurons(layout, 0.01) if name == SUBNETWORK else resolve_selection(recipe.select, layout)


def make_way(name: str, base: Path) -> Way:
    recipe = recipe_of(WAYS[name] | {"trained_dtype": "float32"})
    model, _ = load_base(base, dtype="float32", device="cpu")
    layout = layout_of(model)
    selection = selection_of(name, recipe, layout)
    if recipe.frozen == "4bit":
        quantize_frozen(model, selection, torch.device("cpu"))
    enter(phases_of(recipe, selection, layout)[0], make_trainable(model, recipe, selection))
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return Way(name, model.train(), parameters, torch.optim.AdamW(parameters, lr=1e-4), [])


def measure(base: Path, names: list[str], rounds: int, shape: tuple[int, int]) -> list[dict[str, Any]]:
    """Median step time and memory of each way; `shape` is sentences x tokens of a batch."""
    draw = random.Random(0)
    ways = [make_way(name, base) for name in names]
    vocabulary = ways[0].model.config.vocab_size
    ids = torch.randint(3, vocabulary, shape, generator=torch.Generator().manual_seed(0))
    for way in ways:
        way.step(ids)  # makes the optimiser's state
    for _ in range(rounds):
        draw.shuffle(ways)
        for way in ways:
            way.seconds.append(way.step(ids))
    found = {
        way.name: {
            "way": way.name,
            "trained_parameters": sum(parameter.numel() for parameter in way.parameters),
            "step_seconds": round(statistics.median(way.seconds), 4),
            "fastest_slowest": [round(min(way.seconds), 4), round(max(way.seconds), 4)],
            "gradient_and_optimizer_bytes": way.memory_bytes(),
        }
        for way in ways
    }
    return [found[name] for name in names]


def random_base(folder: Path, layers: int, width: int, vocabulary: int) -> Path:
    """A Llama of random weights, with the pocket's tokenizer beside it (whose ids are not used)."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=round(width * 2.6875 / 64) * 64,  # Llama-2-7B's ratio
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
    )
    LlamaForCausalLM(config).bfloat16().save_pretrained(folder)
    AutoTokenizer.from_pretrained(pocket.folder()).save_pretrained(folder)
    return folder


def llama_2_7b() -> list[dict[str, Any]]:
    """What the same ways hold at the shape of Llama-2-7B, by arithmetic: bf16 gradients, 8-bit optimiser state."""
    folder = known_config("meta-llama/Llama-2-7b-hf")
    assert folder is not None
    layout = read_layout(folder)
    rows = []
    for name, fields in WAYS.items():
        recipe = recipe_of(fields)
        selection = selection_of(name, recipe, layout)
        trained = phases_of(recipe, selection, layout)[0].tensors
        if recipe.method == "lora":
            matrices = [layout.shapes[tensor] for tensor in trained if len(layout.shapes[tensor]) == 2]
            count = recipe.lora_rank * sum(map(sum, matrices))
        else:
            count = selection.trained_weights if selection.neurons else layout.count(tuple(trained))
        in_4_bits = sum(
            layout.count((tensor,))
            for names in layout.layers
            for tensor in names
            if recipe.frozen == "4bit" and tensor not in selection.parameters and len(layout.shapes[tensor]) == 2
        )
        # NF4 keeps a scale for every 64 weights, itself in 8 bits.
        weights = 2 * (layout.n_weights - in_4_bits) + in_4_bits * (0.5 + 1 / 64)
        # A gradient has the 2 bytes of its weight, AdamW keeps two moments of 1 byte; adapters are all in float32.
        held = count * (4 + 4 + 2 if recipe.method == "lora" else 2 + 2)
        if selection.neurons:
            held += 2 * count  # the rows that train lie beside the frozen matrices
        rows.append({"way": name, "trained_parameters": count, "weights_bytes": weights, "held_bytes": held})
    return rows


def table(points: list[dict[str, Any]]) -> str:
    full = next(point for point in points if point["way"] == "full")
    lines = [
        "| trained | parameters | step, ms | of full | gradients + optimiser, MB | of full |",
        "|---|" + "--:|" * 5,
    ]
    for point in points:
        time_share = point["step_seconds"] / full["step_seconds"]
        memory_share = point["gradient_and_optimizer_bytes"] / full["gradient_and_optimizer_bytes"]
        lines.append(
            f"| {point['way']} | {point['trained_parameters']:,} | {1000 * point['step_seconds']:.0f} | "
            f"{time_share:.2f} | {point['gradient_and_optimizer_bytes'] / 1e6:.1f} | {memory_share:.3f} |"
        )
    return "\n".join(lines)


def table_7b(rows: list[dict[str, Any]]) -> str:
    full = rows[0]
    lines = [
        "| trained | parameters | weights, GB | gradients + optimiser, GB | of full | sum, GB |",
        "|---|" + "--:|" * 5,
    ]
    for row in rows:
        lines.append(
            f"| {row['way']} | {row['trained_parameters'] / 1e6:,.0f} M | {row['weights_bytes'] / 1e9:.1f} | "
            f"{row['held_bytes'] / 1e9:.1f} | {row['held_bytes'] / full['held_bytes']:.3f} | "
            f"{(row['weights_bytes'] + row['held_bytes']) / 1e9:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three rounds, to see that it runs")
    parser.add_argument("--rounds", type=int, default=11, help="steps of each way")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    rounds = 3 if arguments.quick else arguments.rounds
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    results: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "hardware": hardware().device,
        "versions": package_versions(),
        "rounds": rounds,
        "models": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        models = {
            "pocket (16 layers x 96)": (pocket.folder(), list(WAYS), (32, 48)),
            # Random, and as deep as Llama-2-7B: here the layers weigh more than embeddings and head.
            "32 layers x 512": (
                random_base(Path(folder) / "deep", 32, 512, 4096),
                list(WAYS),
                (4, 128),
            ),
        }
        for title, (base, names, shape) in models.items():
            points = measure(base, names, rounds, shape)
            results["models"][title] = {"batch": shape, "points": points}
            print(f"\n### {title}, batch {shape[0]} x {shape[1]} tokens\n\n{table(points)}", flush=True)
            gc.collect()
    results["llama-2-7b"] = llama_2_7b()
    print(f"\n### Llama-2-7B, by arithmetic\n\n{table_7b(results['llama-2-7b'])}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
