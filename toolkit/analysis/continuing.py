"""What a folder holds of a sweep already: the same sweep goes on, and anything else is refused."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.analysis.points import Point, Sweep, canonical
from toolkit.analysis.record import PointRecord, SweepFolder, SweepRecord, is_trained
from toolkit.errors import CorpusError, OutputError, SelectionError
from toolkit.recipe import Recipe, portable, read_recipe
from toolkit.recipe.fields import usual_learning_rate
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
        refuse_another_recipe(point, folder.run(point.name), layout)
    _refuse_unlike(sweep.points, layout, folder.root)
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
        for point in before.points
        if point.name not in wanted and _is_kept(point, folder.run(point.name))
    )
    sweep = replace(sweep, points=(*kept, *sweep.points))
    measured_so = (before.limit, before.tests, before.recipe["evaluation"])
    valid = measured_so == (now.limit, now.tests, now.recipe["evaluation"])
    earlier = {point.name: point for point in before.points}
    points = []
    for point in map(planned, sweep.points):
        known = earlier.get(point.name)
        if known is not None:
            done = {"state": "done", "tasks": known.tasks} if valid and known.state == "done" else {}
            point = point.model_copy(update={"seconds": known.seconds, **done})
        points.append(point)
    kept_differences = before.differences if valid else ()
    return sweep, now.model_copy(update={"points": tuple(points), "differences": kept_differences})


def _is_kept(point: PointRecord, run: RunFolder) -> bool:
    """Whether a point of an earlier command stays in the sweep: it was done, or its run at least is there."""
    return run.recipe.is_file() and (point.state == "done" or is_trained(point, run))


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


def refuse_another_recipe(point: Point, run: RunFolder, layout: ModelLayout) -> None:
    """Raise where the folder of this point holds a run by another recipe.

    Raises:
        OutputError: naming the fields that differ.
    """
    if not run.recipe.is_file():
        return
    differing = differences_of_recipes(read_recipe(run.recipe), point.recipe, layout)
    if differing:
        raise OutputError(
            f"{run.root} was made from another recipe: {'; '.join(differing)}",
            "choose another folder with --out, or delete that one to train it again",
        )


def _refuse_unlike(points: Sequence[Point], layout: ModelLayout, root: Path) -> None:
    """Raise where runs would count as one place of the sweep, or be compared, although they learn in different ways.

    One command cannot plan such points; a later one into the same folder can, by another budget, method or rate.
    """
    places: dict[tuple[str, int | None], Point] = {}
    rates: dict[tuple[str, float], Point] = {}
    for point in points:
        recipe = point.recipe
        other = places.setdefault((point.series, point.x), point)
        before, now = (_comparable(portable(each.recipe), layout) for each in (other, point))
        differing = _differences(before, now, _BESIDE_THE_RUN | {"seed"})
        if not differing:
            other = rates.setdefault((recipe.method, usual_learning_rate(recipe.method, recipe.select)), point)
            rate = "learning_rate"
            differing = _differences({rate: other.recipe.learning_rate}, {rate: recipe.learning_rate}, ())
        if differing:
            raise OutputError(
                f"{point.name} cannot be in one sweep with {other.name}, which lies in {root}: {'; '.join(differing)}",
                "choose another folder with --out",
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
    """Files to learn from; a data set on the Hub counts as the same while the recipe names the same revision."""
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
