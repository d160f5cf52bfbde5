"""What a recipe needs of a machine, what is free there, and what would make it fit; told before any work is done."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.environment import free_memory_bytes
from toolkit.errors import OutputError, TrainingError
from toolkit.prompts import Example
from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout
from toolkit.training.distributed import micro_batch_size
from toolkit.training.memory import MemoryParts, Setup, memory_parts, shape_of
from toolkit.training.phases import has_two_ends, phases_of
from toolkit.training.speed import EFFICIENCY, flops_per_token, matrix_rate, mean_length

CUDA_BYTES = 600 * 10**6  # what the driver and the libraries take of a card before anything is on it
CARD_OVERHEAD = 1.05  # memory that PyTorch's allocator holds on a GPU and cannot use
HEAP_OVERHEAD = 1.3  # the same for the C allocator on a CPU, which keeps freed blocks; measured 1.24 to 1.41
CHECKPOINTS = 3  # two are kept while the third is written


@dataclass(frozen=True)
class Requirements:
    """What training needs and what there is. Memory is the GPU's where it trains on one, else the main memory."""

    memory: MemoryParts
    needed_bytes: int  # memory.peak with what the device itself takes
    free_bytes: int | None  # None where the system doesn't tell
    on_gpu: bool
    disk_bytes: int  # checkpoints, trained weights and delta
    free_disk_bytes: int
    tokens: int  # per example, at most
    mean_tokens: float  # per example, for the time
    flops_per_step: float
    seconds_per_step: float | None  # None where it was planned for another machine
    steps: int | None  # None where neither the recipe nor the data says
    remedies: tuple[str, ...]  # what to change, each with what is needed then; empty where it fits

    @property
    def fits(self) -> bool:
        return self.free_bytes is None or self.needed_bytes <= self.free_bytes

    @property
    def fits_disk(self) -> bool:
        return self.disk_bytes <= self.free_disk_bytes

    @property
    def seconds(self) -> float | None:
        """The whole run."""
        return None if self.steps is None or self.seconds_per_step is None else self.steps * self.seconds_per_step


def requirements(
    recipe: Recipe,
    base: Path,
    layout: ModelLayout,
    selection: SelectionInfo,
    *,
    out: Path | None = None,
    examples: Sequence[Example] | None = None,
    card_bytes: int | None = None,
) -> Requirements:
    """What this recipe needs; reads the base's `config.json` alone.

    Args:
        base: folder with that config.
        out: where the run will be; default the current folder.
        examples: what it trains on, where that is read already; else as many tokens each as the recipe allows.
        card_bytes: plan for a GPU with this much memory instead of for this machine.
    """
    import torch

    on_gpu = card_bytes is not None or torch.cuda.is_available()
    shape = shape_of(base)
    setup = setup_of(recipe, layout, selection, on_gpu=on_gpu)
    memory = _memory(recipe, base, layout, selection, setup)
    free = card_bytes if card_bytes is not None else free_memory_bytes()
    needed = _needed(memory, on_gpu)
    mean_tokens = setup.tokens if examples is None else mean_length(base, examples, setup.tokens)
    typical = replace(setup, tokens=round(mean_tokens))
    flops = flops_per_token(shape, layout, selection, typical) * recipe.batch_size * mean_tokens
    steps = recipe.max_steps
    if steps is None and examples is not None:
        steps = max(1, round(recipe.epochs * len(examples) / recipe.batch_size))
    remedies: tuple[str, ...] = ()
    if free is not None and needed > free:
        remedies = tuple(_remedies(recipe, base, layout, selection, on_gpu=on_gpu, free=free))
    return Requirements(
        memory=memory,
        needed_bytes=needed,
        free_bytes=free,
        on_gpu=on_gpu,
        disk_bytes=_disk_bytes(selection, setup, memory),
        free_disk_bytes=shutil.disk_usage(_existing(out or Path.cwd())).free,
        tokens=setup.tokens,
        mean_tokens=mean_tokens,
        flops_per_step=flops,
        seconds_per_step=None if card_bytes is not None else flops / (EFFICIENCY * matrix_rate(setup)),
        steps=steps,
        remedies=remedies,
    )


def refuse_what_cannot_fit(needs: Requirements) -> None:
    """Raise where training would run out of memory or disk.

    Raises:
        TrainingError: naming what is needed, what is free, and what to change.
        OutputError: the same for the disk.
    """
    if not needs.fits:
        assert needs.free_bytes is not None
        place = "GPU memory" if needs.on_gpu else "memory"
        change = "; or ".join(needs.remedies) or "train a smaller base, or use a machine with more memory"
        raise TrainingError(
            f"this needs about {needs.needed_bytes / 1e9:.1f} GB of {place}, and {needs.free_bytes / 1e9:.1f} GB are "
            "free",
            f"{change}. To try all the same: --force",
        )
    if not needs.fits_disk:
        raise OutputError(
            f"checkpoints and delta need up to {needs.disk_bytes / 1e9:.1f} GB of disk, and "
            f"{needs.free_disk_bytes / 1e9:.1f} GB are free",
            "free some space, or choose another folder with --out. To try all the same: --force",
        )


def setup_of(recipe: Recipe, layout: ModelLayout, selection: SelectionInfo, *, on_gpu: bool) -> Setup:
    """What the recipe means on this kind of device."""
    trained = 4 if recipe.trained_dtype == "float32" or (recipe.trained_dtype == "auto" and not on_gpu) else 2
    micro = micro_batch_size(recipe)
    adapters = 0
    if recipe.method == "lora":
        shapes = [layout.shapes[name] for name in selection.parameters]
        adapters = sum(recipe.lora_rank * sum(shape) for shape in shapes if len(shape) > 1)
    return Setup(
        examples=micro,
        tokens=recipe.max_tokens,
        frozen_bytes=2 if on_gpu else trained,
        trained_bytes=trained,
        optimizer=recipe.optimizer,
        gradient_checkpointing=recipe.gradient_checkpointing,
        accumulates=micro < recipe.batch_size,
        on_gpu=on_gpu,
        frozen_in_4bit=recipe.frozen == "4bit",
        adapter_weights=adapters,
    )


def _memory(recipe: Recipe, base: Path, layout: ModelLayout, selection: SelectionInfo, setup: Setup) -> MemoryParts:
    """The parts of the phase that takes most."""
    phases = phases_of(recipe, selection, layout)
    shape = shape_of(base)
    if len(phases) == 1:
        return memory_parts(shape, layout, selection, setup)
    found = []
    for phase in phases:
        names = tuple(name for name in selection.parameters if name in phase.tensors)
        part = {
            "parameters": names,
            "trained_weights": layout.count(names),
            "layers": tuple(layer for layer in selection.layers if set(layout.layers[layer]) & set(names)),
            "embeddings": layout.embeddings in names,
            "head": layout.head in names,
        }
        found.append(memory_parts(shape, layout, selection.model_copy(update=part), setup))
    return max(found, key=lambda parts: parts.peak)


def _needed(memory: MemoryParts, on_gpu: bool) -> int:
    return round(memory.peak * CARD_OVERHEAD) + CUDA_BYTES if on_gpu else round(memory.peak * HEAP_OVERHEAD)


def _disk_bytes(selection: SelectionInfo, setup: Setup, memory: MemoryParts) -> int:
    """Checkpoints with optimiser state; the trained weights, and a delta that may take as much, in 16 bits."""
    trained = setup.adapter_weights or selection.trained_weights
    checkpoint = trained * setup.trained_bytes + memory.optimizer
    return CHECKPOINTS * checkpoint + 2 * 2 * selection.trained_weights


def _remedies(
    recipe: Recipe, base: Path, layout: ModelLayout, selection: SelectionInfo, *, on_gpu: bool, free: int
) -> Iterator[str]:
    """Changes of the recipe that make it fit: each one alone, else as many as it takes, the cheapest first."""
    from toolkit.selection import resolve_recipe

    def needed(chosen: Recipe) -> int:
        picked = selection
        if chosen.select != recipe.select:
            picked = resolve_recipe(chosen, layout)
        setup = setup_of(chosen, layout, picked, on_gpu=on_gpu)
        return _needed(_memory(chosen, base, layout, picked, setup), on_gpu)

    def wording(changes: dict[str, object], size: int) -> str:
        said = " and ".join(
            f"`{key}: {str(value).lower() if value is True else value}`" for key, value in changes.items()
        )
        return f"{said} ({size / 1e9:.1f} GB)"

    enough = [change for change in _changes(recipe, selection) if needed(recipe.model_copy(update=change)) <= free]
    for change in enough:
        yield wording(change, needed(recipe.model_copy(update=change)))
    together: dict[str, object] = {}
    for change in () if enough else _changes(recipe, selection):
        together |= change
        size = needed(recipe.model_copy(update=together))
        if size <= free:
            yield wording(together, size)
            return


def _changes(recipe: Recipe, selection: SelectionInfo) -> list[dict[str, object]]:
    """Changes that save memory: those that leave the result as it is first, those that train less last."""
    changes: list[dict[str, object]] = []
    if not recipe.gradient_checkpointing:
        changes.append({"gradient_checkpointing": True})
    micro = micro_batch_size(recipe)
    if micro > 1:
        changes.append({"micro_batch_size": 1})
    if recipe.optimizer == "adamw":
        changes.append({"optimizer": "adamw_8bit"})
    if recipe.trained_dtype == "float32":
        changes.append({"trained_dtype": "bfloat16"})
    if recipe.frozen == "16bit" and len(selection.layers) < selection.n_layers:
        changes.append({"frozen": "4bit"})
    if recipe.order == "together" and has_two_ends(selection):
        changes.append({"order": "front_then_rear"})
    if recipe.max_tokens > 256:
        changes.append({"max_tokens": 256})
    if len(selection.layers) > selection.n_layers / 4:
        changes.append({"select": "cogsym:25%"})
    elif selection.n_layers >= 16 and len(selection.layers) > selection.n_layers / 8:
        changes.append({"select": "cogsym:12.5%"})
    return changes


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())
