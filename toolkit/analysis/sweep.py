"""Trains and measures every point of a sweep, in run folders that a later call finds again."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.adaptation import prepare, train_delta
from toolkit.analysis.points import Point, Sweep
from toolkit.analysis.record import PointRecord, SweepFolder, SweepRecord
from toolkit.errors import CogsymError, CorpusError, OutputError, TrainingError, TrainingStopped
from toolkit.recipe import Recipe, portable, read_recipe
from toolkit.run_folder import RunFolder

# What a run would be the same without: how it is measured, and who is told.
_BESIDE_THE_RUN = {"evaluation", "report_to"}


@dataclass(frozen=True)
class SweepStep:
    """How far a sweep has come."""

    point: str
    points_done: int  # of those that had to be done now
    points: int
    stage: str  # what is being done: choosing layers, training, evaluating
    done: int
    total: int
    note: str
    seconds_left: float | None  # of the whole sweep; None before its first point is done


Report = Callable[[SweepStep], None]


def run_sweep(sweep: Sweep, out: Path, *, force: bool = False, report: Report | None = None) -> SweepRecord:
    """Train and evaluate what is not done yet, and leave a record after each point.

    A point that is finished is kept, one that was interrupted goes on from its checkpoint, one that failed is tried
    again. A point that fails does not stop the others. What the base answers is computed once.

    Args:
        out: folder of the sweep. One that holds the same sweep is continued, and may get more points.
        force: train even what looks too large for this machine.
        report: called as the work goes on.

    Raises:
        OutputError: if `out` holds another sweep, or a run folder that was made from another recipe.
        TrainingStopped: if the person who started it stopped it.
    """
    from toolkit.analysis.report import can_be_drawn, write_report

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError(
            "a sweep runs in one process",
            "train a point by itself with `accelerate launch -m toolkit train`; the sweep then finds its run folder",
        )
    folder = SweepFolder(out)
    record = begun = _begin(sweep, folder)
    record.write(folder.record)
    try:
        for record in _advance(sweep, folder, begun, force, report):
            record.write(folder.record)
    finally:
        if can_be_drawn(record):
            write_report(folder, record)
    return record


def is_trained(point: Point, run: RunFolder) -> bool:
    """Whether the run, and every snapshot of it, has come to its end."""
    runs = (run, *(run.snapshot(step) for step in point.snapshots))
    return all(each.config.is_file() and not each.trained.exists() for each in runs)


def measured(point: PointRecord, run: RunFolder) -> Iterator[tuple[int | None, RunFolder]]:
    """The run folders whose scores belong to a point, each with its place on the axis: snapshots, then the run."""
    for step in point.snapshots:
        yield step, run.snapshot(step)
    yield point.x, run


def _begin(sweep: Sweep, folder: SweepFolder) -> SweepRecord:
    """The record to start from: what is planned now, and what was done here before.

    Raises:
        OutputError: if something else lies here.
    """
    from toolkit.delta import read_base_info
    from toolkit.pretrained import resolve_base

    nearest = next(each for each in (folder.root, *folder.root.absolute().parents) if each.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise OutputError(
            f"{folder.root} cannot be made: {nearest} is not a folder to write in", "choose another folder"
        )
    recipe = sweep.recipe
    base_id = Path(recipe.base).name if Path(recipe.base).is_absolute() else recipe.base
    record = SweepRecord(
        kind=sweep.kind,
        language=recipe.language,
        base=read_base_info(resolve_base(recipe.base, recipe.base_revision), base_id, recipe.base_revision),
        recipe=portable(recipe).model_dump(mode="json"),
        data=_digests(recipe),
        limit=sweep.limit,
        points=tuple(map(_planned, sweep.points)),
    )
    if folder.record.is_file():
        record = _continued(record, folder.read(), folder.root)
    elif folder.root.exists():
        others = sorted({path.name for path in folder.root.iterdir()} - {point.name for point in sweep.points})
        if others:
            raise OutputError(
                f"{folder.root} holds {others[0]}, which is no part of this sweep", "choose another folder with --out"
            )
    for point in sweep.points:
        _refuse_another_recipe(point, folder.run(point.name))
    return record


def _continued(now: SweepRecord, before: SweepRecord, root: Path) -> SweepRecord:
    """The sweep that was begun before, with what is planned now; points that were done stay in it."""
    varied = _BESIDE_THE_RUN | {"select", "seed", "method", "learning_rate"}
    varied |= {"order"} if now.kind == "order" else set()
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
    planned = {point.name for point in now.points}
    kept_points = tuple(point for point in before.done if point.name not in planned)
    points = tuple(
        point.model_copy(update={"seconds": earlier[point.name].seconds}) if point.name in earlier else point
        for point in now.points
    )
    return now.model_copy(update={"points": (*kept_points, *points)})


def _refuse_another_recipe(point: Point, run: RunFolder) -> None:
    """Raise where the folder of this point holds a run by another recipe."""
    if not run.recipe.is_file():
        return
    fields = read_recipe(run.recipe).model_dump(mode="json")
    differing = _differences(fields, point.recipe.model_dump(mode="json"), _BESIDE_THE_RUN)
    if differing:
        raise OutputError(
            f"{run.root} was made from another recipe: {'; '.join(differing)}",
            "choose another folder with --out, or delete that one to train it again",
        )


def _differences(before: dict[str, Any], now: dict[str, Any], beside: Iterable[str]) -> list[str]:
    return [
        f"{field} was {before.get(field)}, is {value}"
        for field, value in now.items()
        if field not in beside and before.get(field) != value
    ]


def _digests(recipe: Recipe) -> dict[str, str]:
    """sha256 of the training files by their names; data sets on the Hub are pinned by the recipe."""
    digests: dict[str, Any] = {}
    paths = [Path(source.path) for source in (*recipe.data, *recipe.replay) if source.path is not None]
    for path in dict.fromkeys(paths):
        if not path.is_file():
            raise CorpusError(f"no file at {path}", "check the path; it is relative to the recipe's folder")
        digest = digests.setdefault(path.name, hashlib.sha256())  # two files of the same name count as one
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return {name: digest.hexdigest() for name, digest in digests.items()}


def _planned(point: Point) -> PointRecord:
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


def _advance(
    sweep: Sweep, folder: SweepFolder, record: SweepRecord, force: bool, report: Report | None
) -> Iterator[SweepRecord]:
    """Do one point after the other; yields the record whenever it changed."""
    clock = _Clock(report, sum(not is_trained(point, folder.run(point.name)) for point in sweep.points))
    reuse: RunFolder | None = next(
        (folder.run(point.name) for point in record.done if folder.run(point.name).evaluation_records.is_dir()), None
    )
    for point in sweep.points:
        run = folder.run(point.name)
        started, new = time.monotonic(), not is_trained(point, run)
        changes: dict[str, Any]
        try:
            _do(point, run, sweep.limit, reuse, force, clock)
        except TrainingStopped as stopped:
            raise TrainingStopped(
                f"{point.name}: {stopped.message}", "the same command goes on from there; finished points are kept"
            ) from None
        except CogsymError as failure:
            changes = {"state": "failed", "error": str(failure)}
        else:
            reuse = reuse or run
            changes = {"state": "done", "error": None}
            if new:
                changes["seconds"] = round(time.monotonic() - started, 1)
        if new:
            clock.finished(time.monotonic() - started)
        points = tuple(each.model_copy(update=changes) if each.name == point.name else each for each in record.points)
        record = record.model_copy(update={"points": points})
        yield record


def _do(point: Point, run: RunFolder, limit: int | None, reuse: RunFolder | None, force: bool, clock: _Clock) -> None:
    """Train one point where that is not done, and evaluate it; both go on where they stopped."""
    from toolkit.evaluation import evaluate
    from toolkit.selection import read_layout
    from toolkit.training import refuse_what_cannot_fit, requirements

    if not is_trained(point, run):
        resume = run.recipe.is_file()
        plan = prepare(
            point.recipe,
            run.root,
            resume=resume,
            report=lambda what, done, total: clock.step(point, "choosing layers", done, total, what),
        )
        if not force:
            layout = read_layout(plan.base)
            refuse_what_cannot_fit(
                requirements(
                    plan.recipe, plan.base, layout, plan.selection, out=run.root, examples=plan.mixture.examples
                )
            )
        train_delta(
            plan,
            resume=resume,
            snapshots=point.snapshots,
            report=lambda step: clock.step(
                point, "training", step.step, step.steps, "" if step.loss is None else f"loss {step.loss:.2f}"
            ),
        )
        lost = [step for step in point.snapshots if not run.snapshot(step).config.is_file()]
        if lost:
            raise OutputError(
                f"{run.root} was trained past step {lost[0]} without keeping its weights", "delete that folder"
            )
    for _, each in measured(_planned(point), run):
        evaluate(
            each,
            recipe=point.recipe,
            limit=limit,
            reuse=reuse,
            report=lambda step: clock.step(
                point, "evaluating", step.sentences, step.total_sentences, f"{step.model} {step.direction}"
            ),
        )
        reuse = reuse or each


class _Clock:
    """Says how far the sweep is, and from the points that are done how long the others will take."""

    def __init__(self, report: Report | None, to_do: int) -> None:
        self._report, self._to_do, self._seconds = report, to_do, list[float]()
        self._began = time.monotonic()

    def finished(self, seconds: float) -> None:
        self._seconds.append(seconds)
        self._began = time.monotonic()

    def step(self, point: Point, stage: str, done: int, total: int, note: str) -> None:
        if self._report is None:
            return
        finished = len(self._seconds)
        left = None
        if finished:
            mean = sum(self._seconds) / finished
            left = max(0.0, (self._to_do - finished) * mean - (time.monotonic() - self._began))
        self._report(SweepStep(point.name, finished, self._to_do, stage, done, total, note, left))


def outline(sweep: Sweep, folder: Path) -> list[tuple[Point, bool]]:
    """The points of a sweep, and whether each is trained already in this folder."""
    return [(point, is_trained(point, SweepFolder(folder).run(point.name))) for point in sweep.points]
