"""Trains and measures every point of a sweep, in run folders that a later call finds again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.adaptation import prepare, train_delta
from toolkit.analysis.continuing import begin, planned, refuse_another_recipe
from toolkit.analysis.differences import Comparison
from toolkit.analysis.points import Point, Sweep
from toolkit.analysis.record import SweepFolder, SweepRecord, is_trained, measured
from toolkit.analysis.taking_over import refuse_other_origin, runs_by_recipe, take_over
from toolkit.errors import CogsymError, OutputError, TrainingError, TrainingStopped
from toolkit.run_folder import RunFolder
from toolkit.selection import ModelLayout

TAKEN_OVER = "taken over"


@dataclass(frozen=True)
class SweepStep:
    """How far a sweep has come."""

    point: str
    points_done: int  # of those that have to be done now
    points: int
    stage: str  # what is being done: choosing layers, training, evaluating; once, what was taken over from elsewhere
    done: int
    total: int
    note: str
    seconds_left: float | None  # of the whole sweep; None before its first point is done


Report = Callable[[SweepStep], None]


def run_sweep(
    sweep: Sweep, out: Path, *, reuse: Sequence[Path] = (), force: bool = False, report: Report | None = None
) -> SweepRecord:
    """Train and evaluate what is not done yet, and leave a record after each point; then figures and a summary.

    A point that is finished is kept, one that was interrupted goes on from its checkpoint, one that failed is tried
    again. A point that fails does not stop the others. What the base answers is computed once.

    Args:
        out: folder of the sweep. One that holds the same sweep is continued, and may get more points.
        reuse: folders of other sweeps, or of runs. What was trained there by the same recipe, on the same base and
            data, is copied instead of trained again.
        force: train even what looks too large for this machine.
        report: called as the work goes on.

    Raises:
        OutputError: if `out` holds another sweep, or a run folder that was made from another recipe; or a folder to
            reuse holds no run.
        CorpusError: if data or test sets cannot be used.
        TrainingStopped: if the person who started it stopped it.
    """
    from toolkit.analysis.report import can_be_drawn, write_report
    from toolkit.training import mix

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError(
            "a sweep runs in one process",
            "train a point by itself with `accelerate launch -m toolkit train`; the sweep then finds its run folder",
        )
    folder = SweepFolder(out)
    known = {point.name for point in folder.read().points} if folder.record.is_file() else set()
    sweep, record = begin(sweep, folder)
    comparison = Comparison(sweep, folder)
    trained = {point.name for point in sweep.points if _is_trained(point, folder.run(point.name))}
    found, missing = trained - known, len(trained) < len(sweep.points)
    # What is wrong with data or test sets is wrong for every point: it is told once, before anything is written.
    data = mix(sweep.recipe).sources if found or missing else ()
    refuse_other_origin(sweep, folder, found, data)
    record.write(folder.record)
    if reuse and missing:
        _tell_taken(take_over(sweep, folder, reuse, data), report)
    try:
        for changed in _advance(sweep, folder, record, comparison, force, report):
            record = changed
            record.write(folder.record)
    finally:
        if can_be_drawn(record):
            write_report(folder, record)
    return record


@dataclass(frozen=True)
class Outlined:
    """A point before anything is done."""

    point: Point
    is_trained: bool  # in the sweep's own folder
    same_recipe: RunFolder | None  # where else a finished run of its recipe lies; whether data and base match is open


def outline(sweep: Sweep, folder: Path | None, layout: ModelLayout, reuse: Sequence[Path] = ()) -> list[Outlined]:
    """What lies there already of each point of a sweep, in its own folder if it has one, and in those to reuse.

    Raises:
        OutputError: if a point's folder holds a run by another recipe, or a folder to reuse holds no run.
    """
    elsewhere = runs_by_recipe(sweep, reuse, layout)
    outlined = []
    for point in sweep.points:
        is_done = False
        if folder is not None:
            run = SweepFolder(folder).run(point.name)
            refuse_another_recipe(point, run, layout)
            is_done = _is_trained(point, run)
        outlined.append(Outlined(point, is_done, None if is_done else next(iter(elsewhere[point.name]), None)))
    return outlined


def _tell_taken(points: Sequence[str], report: Report | None) -> None:
    if report is not None:
        report(SweepStep(", ".join(points), 0, len(points), TAKEN_OVER, len(points), len(points), "", None))


def _is_trained(point: Point, run: RunFolder) -> bool:
    return is_trained(planned(point), run)


def _advance(
    sweep: Sweep,
    folder: SweepFolder,
    record: SweepRecord,
    comparison: Comparison,
    force: bool,
    report: Report | None,
) -> Iterator[SweepRecord]:
    """Do one point after the other; yields the record whenever it changed.

    First come those that are done. They are only measured where their records no longer answer what the sweep asks,
    because somebody has evaluated the run in another way, or another version computes a score otherwise.
    """
    names = {point.name for point in record.done}
    done = [point for point in sweep.points if point.name in names and _is_trained(point, folder.run(point.name))]
    to_do = [point for point in sweep.points if point not in done]
    clock = _Clock(report, len(to_do))
    reuse: RunFolder | None = None
    for point in (*done, *to_do):
        run = folder.run(point.name)
        changes: dict[str, Any]
        started, new = time.monotonic(), not _is_trained(point, run)
        try:
            tasks = _do(point, run, sweep.limit, reuse, force, clock)
        except TrainingStopped as stopped:
            raise TrainingStopped(
                f"{point.name}: {stopped.message}", "the same command goes on from there; finished points are kept"
            ) from None
        except CogsymError as failure:
            changes = {"state": "failed", "error": str(failure)}
        else:
            reuse = run  # it holds what the base answers now
            changes = {"state": "done", "error": None, "tasks": tasks}
            if new:
                changes["seconds"] = round(time.monotonic() - started, 1)
        if point in to_do:
            clock.finished(point)
        changed = next(each for each in record.points if each.name == point.name).model_copy(update=changes)
        if changed.state == "done":
            comparison.add(changed)
        points = tuple(changed if each.name == point.name else each for each in record.points)
        record = record.model_copy(update={"points": points, "differences": comparison.differences()})
        yield record


def _do(
    point: Point, run: RunFolder, limit: int | None, reuse: RunFolder | None, force: bool, clock: _Clock
) -> tuple[str, ...]:
    """Train one point where that is not done, and evaluate it; both go on where they stopped.

    Returns:
        The tasks that it was measured on.
    """
    from toolkit.evaluation import evaluate

    if not _is_trained(point, run):
        _train(point, run, force, clock)
    tasks: dict[str, None] = {}
    for _, each in measured(planned(point), run):
        records = evaluate(
            each,
            tests=point.recipe.evaluation,
            limit=limit,
            reuse=reuse,
            report=lambda step: clock.step(
                point, "evaluating", step.sentences, step.total_sentences, f"{step.model} {step.direction}"
            ),
        )
        tasks |= dict.fromkeys(record.task for record in records)
        reuse = reuse or each
    return tuple(tasks)


def _train(point: Point, run: RunFolder, force: bool, clock: _Clock) -> None:
    from toolkit.selection import read_layout
    from toolkit.training import refuse_what_cannot_fit, requirements

    resume = run.recipe.is_file()
    plan = prepare(
        point.recipe,
        run.root,
        resume=resume,
        report=lambda what, done, total: clock.step(point, "choosing layers", done, total, what),
    )
    if not force:
        layout, examples = read_layout(plan.base), plan.mixture.examples
        refuse_what_cannot_fit(
            requirements(
                plan.recipe, plan.base, layout, (plan.selection,), out=run.root, examples=examples, measure=False
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
            f"{run.root} was trained past step {lost[0]} without keeping its weights",
            "delete that folder, and the same command trains it again",
        )


class _Clock:
    """Says how far the sweep is, and from the points that are done how long the others will take."""

    def __init__(self, report: Report | None, points: int) -> None:
        self._report, self._points, self._done = report, points, 0
        self._began = self._point_began = time.monotonic()

    def finished(self, point: Point) -> None:
        self._done += 1
        self._point_began = time.monotonic()
        self.step(point, "finished", 1, 1, "")

    def step(self, point: Point, stage: str, done: int, total: int, note: str) -> None:
        if self._report is None:
            return
        left = None
        if self._done:
            mean = (self._point_began - self._began) / self._done
            left = max(0.0, (self._points - self._done) * mean - (time.monotonic() - self._point_began))
        self._report(SweepStep(point.name, self._done, self._points, stage, done, total, note, left))
