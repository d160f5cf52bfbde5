"""What a recipe needs of a machine, what is free there, and what would make it fit; told before any work is done."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from toolkit.environment import free_memory_bytes
from toolkit.errors import OutputError, SelectionError, TrainingError
from toolkit.pretrained import resolve_config
from toolkit.prompts import Example
from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout, possible_selections, read_layout
from toolkit.training.distributed import accumulation_steps, micro_batch_size, processes, sharded
from toolkit.training.memory import MemoryParts, Setup, memory_parts, shape_of, trained_counts
from toolkit.training.pace import Pace, Span, measure_pace
from toolkit.training.phases import has_two_ends, narrowed, phases_of
from toolkit.training.preflight import refuse_contradictions
from toolkit.training.ranking import RankingNeeds, ranking_needs
from toolkit.training.remedies import remedies
from toolkit.training.speed import (
    TimeEstimate,
    around,
    assumed_seconds,
    flops_per_token,
    number_and_length,
    step_seconds,
)

CUDA_BYTES = 600 * 10**6  # what the driver and the libraries take of a card before anything is on it
USABLE_SHARE = 0.985  # of the memory a card is sold with; a "24 GB" card reports 23.6 GiB
CARD_OVERHEAD = 1.05  # memory that PyTorch's allocator holds on a GPU and cannot use
HEAP_OVERHEAD = 1.3  # the same for the C allocator on a CPU, which keeps freed blocks; measured 1.24 to 1.41
CHECKPOINTS = 3  # two are kept while the third is written


@dataclass(frozen=True)
class Requirements:
    """What training needs and what there is. Memory is the GPU's where it trains on one, else the main memory.

    Of several processes it is what each needs; with shards (FSDP) an estimate that no measurement has confirmed yet.
    """

    trained_weights: int  # at most, where the selection is not known yet
    weights: int  # of the base
    memory: MemoryParts  # of the phase that takes most
    ranking: RankingNeeds | None  # of finding the selection, before training
    needed_bytes: int  # the most of both, with what the device itself takes
    free_bytes: int | None  # None where the system doesn't tell
    on_gpu: bool
    disk_bytes: int  # checkpoints, trained weights and delta
    free_disk_bytes: int
    tokens: int  # per example, at most
    mean_tokens: float  # per example, for the time
    flops_per_step: float
    time: TimeEstimate | None  # of training; None where it could be neither measured nor assumed
    steps: int | None  # of all phases; None where neither the recipe nor the data says
    shards: int  # processes among which the model is shared out; 1 where each holds all of it
    remedies: tuple[str, ...]  # what to change, each with what is needed then; empty where it fits

    @property
    def fits(self) -> bool:
        return self.free_bytes is None or self.needed_bytes <= self.free_bytes

    @property
    def fits_disk(self) -> bool:
        return self.disk_bytes <= self.free_disk_bytes


@dataclass(frozen=True)
class _Case:
    """A recipe with one selection that it may turn out to have."""

    recipe: Recipe
    base: Path
    layout: ModelLayout
    selection: SelectionInfo
    on_gpu: bool

    @property
    def setup(self) -> Setup:
        return setup_of(self.recipe, on_gpu=self.on_gpu)

    @property
    def phases(self) -> tuple[SelectionInfo, ...]:
        """What trains at the same time, first to last."""
        return tuple(
            narrowed(self.selection, phase, self.layout)
            for phase in phases_of(self.recipe, self.selection, self.layout)
        )

    def memory(self) -> MemoryParts:
        """The parts of the phase that takes most."""
        shape, setup = shape_of(self.base), self.setup
        return max(
            (memory_parts(shape, self.layout, phase, setup, whole=self.selection) for phase in self.phases),
            key=lambda parts: parts.peak,
        )

    def needed_bytes(self) -> int:
        return with_overhead(self.memory().peak, self.on_gpu)

    def disk_bytes(self) -> int:
        """Checkpoints with optimiser state; the trained weights, and a delta that may take as much, in 16 bits."""
        shape, setup = shape_of(self.base), replace(self.setup, shards=1)  # files are whole
        counts = trained_counts(self.layout, self.selection, setup)
        optimizer = sum(memory_parts(shape, self.layout, phase, setup).optimizer for phase in self.phases)
        checkpoint = sum(counts.values()) * setup.trained_bytes + optimizer
        return CHECKPOINTS * checkpoint + 2 * 2 * self.layout.count(tuple(counts))


def requirements_of(recipe: Recipe, **options: Any) -> Requirements:
    """What this recipe needs, whatever layers a ranked selection turns out to be; reads the base's `config.json` alone.

    Args:
        options: `out`, `examples`, `card_bytes` and `measure` of `requirements`.

    Raises:
        RecipeError, SelectionError: if the recipe, its selection and this base contradict each other.
        BaseModelError: if the base is not to be had, or lacks a part that the selection needs.
    """
    config = resolve_config(recipe.base, recipe.base_revision)
    layout = read_layout(config)
    selections = possible_selections(recipe, layout)
    refuse_contradictions(recipe, selections[0], layout)
    return requirements(recipe, config, layout, selections, ranks=True, **options)


def requirements(
    recipe: Recipe,
    base: Path,
    layout: ModelLayout,
    selections: Sequence[SelectionInfo],
    *,
    out: Path | None = None,
    examples: Sequence[Example] | None = None,
    card_bytes: int | None = None,
    ranks: bool = False,
    measure: bool = True,
) -> Requirements:
    """What this recipe needs; reads the base's `config.json` alone.

    Args:
        base: folder with that config.
        selections: what it may turn out to train, see `possible_selections`; the most that any of them needs counts.
        out: where the run will be; default the current folder.
        examples: what it trains on, where that is read already; else as many tokens each as the recipe allows.
        card_bytes: plan for a GPU that is sold with this much memory, instead of for this machine.
        ranks: count what finding the selection takes too, where it is a ranked one.
        measure: run parts of the base for a few seconds to estimate the time; not done for another machine.

    Raises:
        SelectionError: if the recipe trains one end after the other, and the selection cannot have two ends.
    """
    on_gpu = card_bytes is not None or torch.cuda.is_available()
    cases = [_Case(recipe, base, layout, each, on_gpu) for each in _that_can_train(recipe, selections)]
    worst = max(cases, key=lambda case: case.memory().peak)
    setup, memory = worst.setup, worst.memory()
    free = usable_bytes(card_bytes) if card_bytes is not None else free_memory_bytes()
    number, mean_tokens = (None, setup.tokens) if examples is None else number_and_length(base, examples, setup.tokens)
    pace = None
    if measure and card_bytes is None:
        usual = round(mean_tokens)
        pace = measure_pace(recipe, base, layout, worst.selection, examples=setup.examples, tokens=usual)
    ranking = None
    if ranks:
        ranking = ranking_needs(recipe, base, layout, worst.selection, worst.setup, pace, mean_tokens, free)
    needed = max(worst.needed_bytes(), with_overhead(ranking.bytes, on_gpu) if ranking else 0)
    steps = recipe.max_steps if number is None else recipe.steps(number)
    flops = [_flops(case, mean_tokens) for case in cases]
    changes: tuple[str, ...] = ()
    if free is not None and needed > free:

        def would_need(changed: Recipe) -> int:
            picked = selections if changed.select == recipe.select else possible_selections(changed, layout)
            found = [_Case(changed, base, layout, each, on_gpu) for each in _that_can_train(changed, picked)]
            most = max(found, key=lambda case: case.memory().peak)
            finding = ranking_needs(changed, base, layout, most.selection, most.setup, None, mean_tokens, free)
            return max(most.needed_bytes(), with_overhead(finding.bytes, on_gpu) if ranks and finding else 0)

        changes = tuple(remedies(recipe, worst.selection, would_need, free))
    return Requirements(
        trained_weights=max(case.selection.trained_weights for case in cases),
        weights=layout.n_weights,
        memory=memory,
        ranking=ranking,
        needed_bytes=needed,
        free_bytes=free,
        on_gpu=on_gpu,
        disk_bytes=max(case.disk_bytes() for case in cases),
        free_disk_bytes=shutil.disk_usage(_existing(out or Path.cwd())).free,
        tokens=setup.tokens,
        mean_tokens=mean_tokens,
        flops_per_step=max(flops),
        time=_time(cases, flops, mean_tokens, steps, pace, card_bytes),
        steps=None if steps is None else steps * len(worst.phases),
        shards=setup.shards,
        remedies=changes,
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


def setup_of(recipe: Recipe, *, on_gpu: bool) -> Setup:
    """What the recipe means on this kind of device."""
    by_itself = 2 if on_gpu and recipe.optimizer == "adamw_8bit" and recipe.method != "lora" else 4
    trained = {"auto": by_itself, "float32": 4, "bfloat16": 2}[recipe.trained_dtype]
    micro = micro_batch_size(recipe)
    shards = processes() if sharded() and on_gpu else 1
    if shards > 1:
        trained = 4  # accelerate keeps what trains in float32 where FSDP computes in 16 bits
    return Setup(
        examples=micro,
        tokens=recipe.max_tokens,
        frozen_bytes=2 if on_gpu else trained,
        trained_bytes=trained,
        optimizer=recipe.optimizer,
        gradient_checkpointing=recipe.gradient_checkpointing,
        accumulates=micro * processes() < recipe.batch_size,
        on_gpu=on_gpu,
        frozen_in_4bit=recipe.frozen == "4bit",
        adapter_rank=recipe.lora_rank if recipe.method == "lora" else 0,
        averages=processes() > 1 and not sharded(),
        shards=shards,
    )


def with_overhead(peak: int, on_gpu: bool) -> int:
    """What a device has to have free, where so many bytes are in use at one time."""
    return round(peak * (CARD_OVERHEAD if on_gpu else HEAP_OVERHEAD))


def usable_bytes(card_bytes: int) -> int:
    """What is free for training on a card that nothing else uses, of the memory that it is sold with."""
    return round(USABLE_SHARE * card_bytes) - CUDA_BYTES


def _that_can_train(recipe: Recipe, selections: Sequence[SelectionInfo]) -> Sequence[SelectionInfo]:
    """Those that have two ends, where the recipe trains one after the other.

    Raises:
        SelectionError: if there is none.
    """
    if recipe.order == "together" or len(selections) == 1:
        return selections
    found = [selection for selection in selections if has_two_ends(selection)]
    if not found:
        raise SelectionError(
            f"`order: {recipe.order}` trains one end after the other, and {recipe.select} cannot have two ends",
            "choose layers at both ends, e.g. --select cogsym:25%, or `order: together`",
        )
    return found


def _flops(case: _Case, mean_tokens: float) -> float:
    """Operations of one step of all processes, the mean over the phases."""
    setup = replace(case.setup, tokens=round(mean_tokens))
    shape, phases = shape_of(case.base), case.phases
    per_token = sum(flops_per_token(shape, case.layout, phase, setup) for phase in phases) / len(phases)
    return per_token * case.recipe.batch_size * mean_tokens


def _time(
    cases: Sequence[_Case],
    flops: Sequence[float],
    mean_tokens: float,
    steps: int | None,
    pace: Pace | None,
    card_bytes: int | None,
) -> TimeEstimate | None:
    """How long training takes; of a ranked selection the range over all that it may be."""
    recipe = cases[0].recipe
    n_phases = len(cases[0].phases)
    if pace is not None:
        step = around(_step_of(case, pace, mean_tokens) for case in cases)
        assumes = "timed on a layer of these shapes just now, with the machine as busy as it is"
    elif card_bytes is not None:
        step = around(assumed_seconds(each, card_bytes) for each in flops)
        rates = assumed_seconds(1e12, card_bytes)
        assumes = (
            f"assuming that the card does {1 / rates.most:.0f} to {1 / rates.least:.0f} trillion operations per second"
        )
    else:
        return None
    whole = None if steps is None else step * (steps * n_phases)
    if recipe.order != "together":
        assumes += "; both phases counted"
    return TimeEstimate(step=step, whole=whole, measured=pace is not None, assumes=assumes)


def _step_of(case: _Case, pace: Pace, mean_tokens: float) -> Span:
    """One optimiser step, the mean over the phases."""
    setup = replace(case.setup, tokens=round(mean_tokens))
    passes = accumulation_steps(case.recipe)
    total = Span(0.0, 0.0)
    for phase in case.phases:
        total += step_seconds(pace, case.layout, phase, setup, passes)
    return total * (1 / len(case.phases))


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())
