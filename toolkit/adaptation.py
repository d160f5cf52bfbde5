"""The way from a recipe to a run folder that holds a delta: prepare, train, extract."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import OutputError, RecipeError
from toolkit.recipe import Recipe, own_languages, read_recipe, write_recipe
from toolkit.records import BaseInfo, Beginning, DeltaConfig, DeltaInfo, SelectionInfo, TrainingRecord
from toolkit.run_folder import RunFolder

if TYPE_CHECKING:
    from toolkit.selection import Evidence
    from toolkit.training import Mixture, TrainingStep


_LICENCE = re.compile(r"^license:[ \t]*([\"']?)([\w.-]+)\1[ \t\r]*(#.*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Plan:
    """A recipe with everything it names found and checked; nothing has been written yet."""

    recipe: Recipe
    run: RunFolder
    base: Path
    base_info: BaseInfo
    selection: SelectionInfo
    mixture: Mixture
    beginning: Beginning


def prepare(
    recipe: Recipe, out: Path, *, resume: bool = False, report: Callable[[str, int, int], None] | None = None
) -> Plan:
    """Find the base, read the data, and resolve the selection, so that all that can be wrong is told before training.

    A ranked selection runs or reads the base here, of several processes in the one that leads; a resumed run takes
    what was found the first time. Of a run of which nothing is trained yet, everything may have changed meanwhile.

    Args:
        report: called while a ranked selection is worked out, with what is done, how much of it, and of how much.

    Raises:
        OutputError: if the run folder holds something already and this is not a continuation, or one that would go on
            with another recipe, other data or another base.
        BaseModelError, SelectionError, MissingPartError, CorpusError, RecipeError, HubError: naming what is wrong.
    """
    from toolkit.delta import read_base_info
    from toolkit.freeing import free_memory
    from toolkit.pretrained import resolve_base
    from toolkit.selection import looks_at, read_layout, resolve_recipe
    from toolkit.training import from_leader, mix, preflight, refuse_repetition
    from toolkit.training.beginning import beginning_of, differences, has_progress, refuse_another_beginning
    from toolkit.training.trained import check_names

    if not resume:
        refuse_existing(out)
    base = resolve_base(recipe.base, recipe.base_revision)
    layout = read_layout(base)
    looks_at(recipe.select, layout)  # a selection that cannot be is told before long files are read
    run = RunFolder(out)
    base_id = Path(recipe.base).name if Path(recipe.base).is_absolute() else recipe.base
    base_info = read_base_info(base, base_id, recipe.base_revision).model_copy(update={"licence": licence_of(base)})
    mixture = mix(recipe)
    refuse_repetition(mixture)

    def find_selection() -> tuple[SelectionInfo, Beginning, bool]:
        goes_on = resume and has_progress(run)
        if resume and run.selection.is_file():
            known = run.read_selection()
            now = beginning_of(recipe, base, mixture, known)
            if goes_on or not run.beginning.is_file() or not differences(Beginning.read(run.beginning), now):
                return known, now, goes_on
        found = resolve_recipe(recipe, layout, evidence_of(recipe, base, mixture, report=report))
        return found, beginning_of(recipe, base, mixture, found), goes_on

    # Also lets the others look at the folder before the one that leads writes into it.
    selection, beginning, goes_on = from_leader(find_selection)
    if goes_on:
        refuse_another_beginning(run, beginning)
    free_memory()  # of a base that was looked at
    preflight(recipe, selection, layout)
    check_names(selection, base)
    return Plan(recipe, run, base, base_info, selection, mixture, beginning)


def evidence_of(
    recipe: Recipe, base: Path, mixture: Mixture, *, report: Callable[[str, int, int], None] | None = None
) -> Evidence:
    """What a ranked selection may look at in a run of this recipe; the base is loaded only when it is looked at."""
    from toolkit.pretrained import load_to_rank
    from toolkit.selection import Evidence

    return Evidence(
        base=base,
        load=lambda: load_to_rank(base),
        language=recipe.language,
        examples=mixture.examples,
        texts=mixture.texts,
        rows=recipe.select_rows,
        max_tokens=recipe.max_tokens,
        report=report,
    )


def licence_of(base: Path) -> str | None:
    """The licence that the base's own card states in its front matter, e.g. `llama2`; None where it states none."""
    card = base / "README.md"
    if not card.is_file():
        return None
    # One line, not YAML: a stranger's card need not be well-formed for that, and can do nothing with it.
    front_matter = re.match(r"---\n(.*?)\n---", card.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    stated = front_matter and _LICENCE.search(front_matter[1])
    return stated[2] if stated else None


def refuse_existing(out: Path) -> None:
    """Raise unless `out` is free to be written.

    Raises:
        OutputError: if it is a file, a folder that holds something, or lies where nothing can be written.
    """
    nearest = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise OutputError(f"{out} cannot be made: {nearest} is not a folder to write in", "choose another folder")
    if out.exists() and any(out.iterdir()):
        raise OutputError(f"{out} exists already", "choose another folder, or continue that run with --resume")


def train_delta(
    plan: Plan,
    *,
    report: Callable[[TrainingStep], None] | None = None,
    resume: bool = False,
    snapshots: Sequence[int] = (),
) -> tuple[TrainingRecord, DeltaInfo]:
    """Train as planned and leave the delta, its config and the records in the run folder.

    The delta is found by comparing base and trained weights on disk, not by trusting the selection. Of several
    processes (`accelerate launch`), the one that leads writes, and all return the same.

    Args:
        snapshots: steps after which the delta so far is kept as well, in `step-N/`, ready to be evaluated.
    """
    from toolkit.freeing import free_memory
    from toolkit.training import Snapshots, from_leader, leads, train
    from toolkit.training.beginning import has_progress
    from toolkit.training.failures import explained

    if leads():
        _describe(plan)
        if not (resume and has_progress(plan.run)):
            plan.beginning.write(plan.run.beginning)
    with explained(lambda: 0, plan.run):  # memory may be short before the first step
        training = train(
            plan.recipe,
            plan.mixture,
            plan.base,
            plan.base_info,
            plan.selection,
            plan.run,
            report=report,
            resume=resume,
            snapshots=Snapshots(snapshots, lambda step, save: _keep(plan, step, save)) if snapshots else None,
        )
    free_memory()  # for whoever loads the base next
    return training, from_leader(lambda: make_delta(plan))


def _keep(plan: Plan, step: int, save: Callable[[Path], Path]) -> None:
    """Leave the delta so far, with its config, in a run folder of its own."""
    run = plan.run.snapshot(step)
    shutil.rmtree(run.root, ignore_errors=True)  # of a run that was killed and comes here again
    save(run.trained)
    kept = replace(plan, run=run)
    _describe(kept)
    make_delta(kept)


def _describe(plan: Plan) -> None:
    """Leave in the run folder what is about to be trained."""
    opening = f"cogsym train --recipe recipe.yaml --out {plan.run.root.name}"
    plan.run.root.mkdir(parents=True, exist_ok=True)
    write_recipe(plan.recipe, plan.run.recipe, opening=opening)
    carry_languages(plan.recipe, plan.run.languages)
    plan.selection.write(plan.run.selection)


def carry_languages(recipe: Recipe, folder: Path) -> None:
    """Copy the files of the recipe's languages that do not come with the toolkit into this folder."""
    for file in own_languages(recipe):
        carried = folder / file.name
        carried.parent.mkdir(exist_ok=True)
        if file.resolve() != carried.resolve():  # a resumed run has found it here
            shutil.copyfile(file, carried)


def make_delta(plan: Plan) -> DeltaInfo:
    """Compare the trained tensors with the base, write delta and config, and drop the trained tensors.

    A run that was killed after the delta and before the config makes both again.
    """
    from toolkit.delta import extract

    run = plan.run
    info = extract(plan.base, run.trained, run.delta, base_info=plan.base_info, overwrite=True)
    info.write(run.delta_info)
    known = sorted({code for source in plan.mixture.sources for code in source.languages} - {plan.recipe.language})
    DeltaConfig(
        format_version=info.format_version,
        language=plan.recipe.language,
        known_languages=tuple(known),
        directions=plan.mixture.directions,
        prompt=plan.recipe.prompt,
        max_tokens=plan.recipe.max_tokens,
        base=plan.base_info,
        base_fingerprint=info.base_fingerprint,
        selection=plan.selection,
        delta_file=run.delta.name,
        delta_sha256=info.sha256,
    ).write(run.config)
    shutil.rmtree(run.trained)
    return info


def reopen(out: Path) -> Recipe:
    """The recipe of a run that was started before.

    Raises:
        RecipeError: if the folder holds no run.
    """
    run = RunFolder(out)
    if not run.recipe.is_file():
        raise RecipeError(f"{out} holds no run to continue", "start one with --recipe")
    if run.is_trained:
        raise RecipeError(
            f"the run in {out} is finished", "measure it: cogsym evaluate RUN; or start another with --out"
        )
    return read_recipe(run.recipe)
