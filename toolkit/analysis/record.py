"""The record of a sweep, and where its files lie: what it varies, what belongs to it, how far it has come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from toolkit.analysis.points import Kind
from toolkit.errors import OutputError
from toolkit.records import BaseInfo, Record
from toolkit.run_folder import RunFolder


class PointRecord(Record):
    """One run of a sweep. Its scores, weights and layers are in the records of its run folder."""

    name: str = Field(description="name of its run folder, inside the sweep's")
    series: str = Field(description="the line or bar that it belongs to")
    x: int | None = Field(default=None, description="layers, offset or steps; None for a bar or a dotted line")
    select: str
    method: Literal["weights", "lora"]
    order: str
    seed: int
    snapshots: tuple[int, ...] = Field(default=(), description="steps whose weights were kept in `step-N/`")
    tasks: tuple[str, ...] = Field(default=(), description="what it was measured on, as its evaluation records name it")
    state: Literal["planned", "done", "failed"] = "planned"
    error: str | None = Field(default=None, description="what stopped it, where it failed")
    seconds: float | None = Field(default=None, description="training and evaluation, in the session that finished it")


class Difference(Record):
    """How far a place of a line, or a bar, is from what it is compared with, on the same sentences.

    Intervals are the middle 95% of paired resamples of the sentences (Koehn, 2004), of the mean over seeds.
    """

    series: str
    x: int | None = None
    against: str = Field(description="`base`, or the series that trains everything")
    task: str = Field(description="as its evaluation records are called")
    metric: str
    value: float = Field(description="score minus the other's score, in the metric's unit")
    low: float
    high: float
    percent: float | None = Field(default=None, description="the same in percent of the other's score")
    percent_low: float | None = None
    percent_high: float | None = None
    seeds: tuple[int, ...] = Field(description="those that both were trained with; all, against the base")
    by_seed: tuple[float, ...] = Field(description="`value` for each of them")


class SweepRecord(Record):
    """`sweep.json`: with the run folders beside it, everything that figures and tables are made from."""

    kind: Kind
    language: str
    base: BaseInfo
    recipe: dict[str, Any] = Field(description="every field of the recipe, local paths reduced to file names")
    data: dict[str, str] = Field(description="sha256 of each training file")
    tests: dict[str, str] = Field(description="sha256 of each test file")
    limit: int | None = Field(default=None, description="sentences per test set, at most")
    points: tuple[PointRecord, ...]
    differences: tuple[Difference, ...] = Field(default=(), description="between the points that are done")

    @property
    def done(self) -> tuple[PointRecord, ...]:
        return tuple(point for point in self.points if point.state == "done")

    @property
    def failed(self) -> tuple[PointRecord, ...]:
        return tuple(point for point in self.points if point.state == "failed")


@dataclass(frozen=True)
class SweepFolder:
    """Where the files of a sweep lie; the run folders of its points are beside them."""

    root: Path

    @property
    def record(self) -> Path:
        return self.root / "sweep.json"

    @property
    def report(self) -> Path:
        return self.root / "sweep.md"

    @property
    def scores(self) -> Path:
        """The numbers of the figures, as a table."""
        return self.root / "scores.csv"

    @property
    def figures(self) -> Path:
        return self.root / "figures"

    def run(self, point: str) -> RunFolder:
        return RunFolder(self.root / point)

    def read(self) -> SweepRecord:
        """The sweep that was begun here.

        Raises:
            OutputError: if there is none.
        """
        if not self.record.is_file():
            raise OutputError(f"{self.root} holds no sweep", "start one: cogsym sweep budgets --recipe R --out FOLDER")
        return SweepRecord.read(self.record)


def is_trained(point: PointRecord, run: RunFolder) -> bool:
    """Whether the run, and every snapshot of it, has come to its end."""
    return all(each.is_trained for _, each in measured(point, run))


def measured(point: PointRecord, run: RunFolder) -> Iterator[tuple[int | None, RunFolder]]:
    """The run folders whose scores belong to a point, each with its place on the axis: snapshots, then the run."""
    for step in point.snapshots:
        yield step, run.snapshot(step)
    yield point.x, run
