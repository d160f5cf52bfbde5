"""The record of a run: what trained on what, how long it took, and what the loss came to."""

from __future__ import annotations

import datetime
import resource
import sys
from collections.abc import Sequence

import torch

from toolkit.environment import REPORTED, hardware, package_versions
from toolkit.recipe import Recipe, portable
from toolkit.records import BaseInfo, DataInfo, SelectionInfo, TrainingRecord
from toolkit.run_folder import RunFolder
from toolkit.training.backends import backend_of
from toolkit.training.batches import ExampleDataset
from toolkit.training.dtypes import trained_dtype
from toolkit.training.energy import EnergyMeter
from toolkit.training.methods import method_of
from toolkit.training.metrics import closing_loss, read_metrics
from toolkit.training.mixture import Mixture
from toolkit.training.watch import Watch


def make_record(
    recipe: Recipe,
    mixture: Mixture,
    base_info: BaseInfo,
    selection: SelectionInfo,
    run: RunFolder,
    *,
    watch: Watch,
    dataset: ExampleDataset,
    trained_parameters: int,
    seconds: float,
    energy: EnergyMeter | None,
) -> TrainingRecord:
    """What is known of a run that has come to its end.

    Args:
        watch: saw every phase.
        dataset: what it trained on.
        energy: None where it measured only a part of the run.
    """
    published = portable(recipe)
    final_loss, final_loss_steps = closing_loss(watch.losses) if watch.losses else (float("nan"), None)
    return TrainingRecord(
        language=recipe.language,
        base=base_info,
        selection=selection,
        method=method_of(recipe, selection),
        trained_parameters=trained_parameters,
        backend=backend_of(recipe),
        data=_named_as_in(published, mixture.sources),
        tests=mixture.tests,
        recipe=published.model_dump(mode="json"),
        recipe_changes=published.changes(),
        steps=watch.steps_done,
        examples=len(dataset),
        too_long=dataset.too_long,
        tokens=watch.tokens_done,
        first_loss=watch.first_loss if watch.first_loss is not None else float("nan"),
        final_loss=final_loss,
        final_loss_steps=final_loss_steps,
        held_out_loss=_held_out_loss(recipe, run, watch.steps_done),
        seconds=round(seconds, 1),
        peak_memory_bytes=_peak_memory_bytes(),
        trained_dtype=str(trained_dtype(recipe)).removeprefix("torch."),
        hardware=hardware(),
        energy_kwh=None if energy is None else energy.kwh,
        emissions_grams=None if energy is None else energy.emissions_grams,
        country=None if energy is None else energy.country,
        versions=package_versions((*REPORTED, *_used_packages(recipe))),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def _named_as_in(published: Recipe, sources: Sequence[DataInfo]) -> tuple[DataInfo, ...]:
    """The sources, files under the names that the published recipe gives them: two may have had the same one."""
    entries = (*published.data, *published.replay)
    return tuple(
        source.model_copy(update={"name": entry.path}) if entry.path else source
        for source, entry in zip(sources, entries, strict=True)
    )


def _held_out_loss(recipe: Recipe, run: RunFolder, steps: int) -> float | None:
    """The loss of the saved weights on the held-out rows, after so many steps of all phases."""
    lines = [line for line in read_metrics(run.metrics) if "held_out_loss" in line]
    # Each phase has as many steps; an earlier one's best weights are not those that were saved.
    others = 0 if recipe.order == "together" else steps // 2
    losses = [line["held_out_loss"] for line in lines if line["step"] > others]
    if not losses:
        return None
    return float(min(losses) if recipe.keep_best else losses[-1])


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
