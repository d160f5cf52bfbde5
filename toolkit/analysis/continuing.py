"""What a folder holds of a sweep already: the same sweep goes on, and anything else is refused."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.analysis.points import Point, Sweep, canonical
from toolkit.analysis.record import PointRecord, SweepFolder, SweepRecord
from toolkit.errors import CorpusError, OutputError, SelectionError
from toolkit.recipe import Recipe, portable, read_recipe
from toolkit.run_folder import RunFolder
from toolkit.selection import ModelLayout, read_layout

# What a run would be the same without: how it is measured, and who is told.
_BESIDE_THE_RUN = {"evaluation", "report_to"}
# What the points of every sweep may have of their own.
_VARIED = {"select", "seed", "method", "learning_rate"}


def begin(sweep: Sweep, folder: SweepFolder) -> tuple[Sweep, SweepRecord]:
    """The sweep with what was done here before, and the record to start from.

    Points that were done stay done while they are measured in the same way; else they are measured again.

    Raises:
        OutputError: if something else lies here: another sweep, other data, a run by another recipe.
        CorpusError: if a training file is missing.
    """
    from toolkit.delta import read_base_info
    from toolkit.pretrained import resolve_base

    nearest = next(each for each in (folder.root, *folder.root.absolute().parents) if each.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise OutputError(
            f"{folder.root} cannot be made: {nearest} is not a folder to write in", "choose another folder"
        )
    recipe = sweep.recipe
    base = resolve_base(recipe.base, recipe.base_revision)
    base_id = Path(recipe.base).name if Path(recipe.base).is_absolute() else recipe.base
    record = SweepRecord(
        kind=sweep.kind,
        language=recipe.language,
        base=read_base_info(base, base_id, recipe.base_revision),
        recipe=portable(recipe).model_dump(mode="json"),
        data=_digests(_training_files(recipe)),
        tests=_digests(path for path in _test_files(recipe) if path.is_file()),
        limit=sweep.limit,
        points=tuple(map(planned, sweep.points)),
    )
    if folder.record.is_file():
        sweep, record = _continued(sweep, record, folder)
    elif folder.root.exists():
        others = sorted({path.name for path in folder.root.iterdir()} - {point.name for point in sweep.points})
        if others:
            raise OutputError(
                f"{folder.root} holds {others[0]}, which is no part of this sweep", "choose another folder with --out"
            )
    layout = read_layout(base)
    for point in sweep.points:
        _refuse_another_recipe(point, folder.run(point.name), layout)
    return sweep, record


def planned(point: Point) -> PointRecord:
    """The record of a point that is still to be done."""
    recipe = point.recipe
    return PointRecord(
        name=point.name,
        series=point.series,
        x=point.x,
        select=recipe.select,
        method=recipe.method,
        order=recipe.order,
        seed=recipe.seed,
        snapshots=point.snapshots,
    )


def _continued(sweep: Sweep, now: SweepRecord, folder: SweepFolder) -> tuple[Sweep, SweepRecord]:
    """The sweep that was begun before, with what is planned now."""
    before = folder.read()
    _refuse_another_sweep(before, now, folder.root)
    wanted = {point.name for point in sweep.points}
    kept = tuple(
        Point(
            point.name,
            point.series,
            point.x,
            read_recipe(folder.run(point.name).recipe).model_copy(update={"evaluation": sweep.recipe.evaluation}),
            point.snapshots,
        )
        for point in before.done
        if point.name not in wanted and folder.run(point.name).recipe.is_file()
    )
    sweep = replace(sweep, points=(*kept, *sweep.points))
    measured_so = (before.limit, before.tests, before.recipe["evaluation"])
    valid = measured_so == (now.limit, now.tests, now.recipe["evaluation"])
    earlier = {point.name: point for point in before.done}
    points = []
    for point in map(planned, sweep.points):
        done = earlier.get(point.name)
        if done is not None:
            point = point.model_copy(
                update={"seconds": done.seconds, **({"state": "done", "tasks": done.tasks} if valid else {})}
            )
        points.append(point)
    kept_differences = before.differences if valid else ()
    return sweep, now.model_copy(update={"points": tuple(points), "differences": kept_differences})


def _refuse_another_sweep(before: SweepRecord, now: SweepRecord, root: Path) -> None:
    varied = _BESIDE_THE_RUN | _VARIED | ({"order"} if now.kind == "order" else set())
    differing = [f"kind was {before.kind}, is {now.kind}"] if before.kind != now.kind else []
    if before.base != now.base:
        differing.append(f"base was {before.base.id} ({before.base.n_weights:,} weights), is {now.base.id}")
    differing += _differences(before.recipe, now.recipe, varied)
    changed = [name for name in before.data if now.data.get(name, before.data[name]) != before.data[name]]
    differing += [f"{name} holds something else now" for name in changed]
    if differing:
        raise OutputError(
            f"{root} holds another sweep: {'; '.join(differing)}",
            "choose another folder with --out, or go on with the recipe and the data that it was begun with",
        )
    earlier = {point.name: point for point in before.points}
    for point in now.points:
        kept = earlier.get(point.name)
        if kept is not None and kept.snapshots != point.snapshots:
            raise OutputError(
                f"{point.name} keeps its weights after steps {', '.join(map(str, kept.snapshots))}, and other steps "
                "are asked for now",
                "choose another folder with --out",
            )


def _refuse_another_recipe(point: Point, run: RunFolder, layout: ModelLayout) -> None:
    """Raise where the folder of this point holds a run by another recipe."""
    if not run.recipe.is_file():
        return
    differing = differences_of_recipes(read_recipe(run.recipe), point.recipe, layout)
    if differing:
        raise OutputError(
            f"{run.root} was made from another recipe: {'; '.join(differing)}",
            "choose another folder with --out, or delete that one to train it again",
        )


def differences_of_recipes(before: Recipe, now: Recipe, layout: ModelLayout) -> list[str]:
    """In which fields one would train something else than the other, in words; test sets do not count."""
    return _differences(_comparable(before, layout), _comparable(now, layout), _BESIDE_THE_RUN)


def _comparable(recipe: Recipe, layout: ModelLayout) -> dict[str, Any]:
    fields = recipe.model_dump(mode="json")
    with suppress(SelectionError):  # a run on another base may train what this one does not have
        fields["select"] = canonical(recipe.select, layout)
    return fields


def _differences(before: dict[str, Any], now: dict[str, Any], beside: Iterable[str]) -> list[str]:
    return [
        f"{field} was {before.get(field)}, is {value}"
        for field, value in now.items()
        if field not in beside and before.get(field) != value
    ]


def _training_files(recipe: Recipe) -> list[Path]:
    """Files to learn from; data sets on the Hub are pinned by the recipe."""
    return [Path(source.path) for source in (*recipe.data, *recipe.replay) if source.path is not None]


def _test_files(recipe: Recipe) -> list[Path]:
    """Files to measure on, and those of worked examples."""
    fields = [field for test in recipe.evaluation for field in test.model_dump().items()]
    return [Path(value) for name, value in fields if name.endswith("path") and value]


def _digests(paths: Iterable[Path]) -> dict[str, str]:
    """sha256 of files by their names; two of the same name count as one."""
    digests: dict[str, Any] = {}
    for path in dict.fromkeys(paths):
        if not path.is_file():
            raise CorpusError(f"no file at {path}", "check the path; it is relative to the recipe's folder")
        digest = digests.setdefault(path.name, hashlib.sha256())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return {name: digest.hexdigest() for name, digest in digests.items()}
