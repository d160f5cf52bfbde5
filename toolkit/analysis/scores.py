"""The scores of a sweep as they are drawn: one panel per test set, direction and metric, read from records alone."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from toolkit.analysis.points import is_reference
from toolkit.analysis.record import PointRecord, SweepFolder, SweepRecord, measured
from toolkit.errors import LanguageError
from toolkit.evaluation import Row, comparison_table
from toolkit.languages import get_language, parse_direction
from toolkit.records import Score

BASE, ADAPTED = "base", "adapted"


@dataclass(frozen=True)
class Mark:
    """One place of a line, or one bar: the mean over seeds, and how far it may be off.

    With one seed, `low` and `high` are the 95% bootstrap interval over sentences; with several, the lowest and the
    highest seed.
    """

    x: int | None
    values: tuple[float, ...]  # by seed
    seeds: tuple[int, ...]
    low: float | None
    high: float | None

    @property
    def mean(self) -> float:
        return statistics.mean(self.values)


@dataclass(frozen=True)
class Panel:
    """What is drawn in one place: every series of one test set, in one direction, by one metric."""

    task: str  # as its evaluation records are called
    dataset: str
    direction: str  # or the language and what was asked, where that is not translation
    role: Literal["target", "known"]
    metric: str
    lower_is_better: bool
    decimals: int
    n: int
    shots: int
    signature: str
    base: Mark | None = None
    series: dict[str, tuple[Mark, ...]] = field(default_factory=dict)  # each in rising order of x
    references: dict[str, Mark] = field(
        default_factory=dict
    )  # everything trained, where that is not a place of its own
    cautions: tuple[str, ...] = ()  # why not to rely on these scores, where there is a reason

    @property
    def title(self) -> str:
        """The direction, or the language, in words; then what was asked."""
        where, _, asked = self.direction.partition(" ")
        try:
            if ">" in where:
                direction = parse_direction(where)
                codes = [direction.source, direction.target]
            else:
                codes = [where]
            names = [get_language(code).names.english for code in codes]
        except LanguageError:
            return self.direction
        return ": ".join([" → ".join(names), *([asked] if asked else [])])

    @property
    def heading(self) -> str:
        """The metric, and which way is better where that is down."""
        return f"{self.metric} (lower is better)" if self.lower_is_better else self.metric


@dataclass
class _Gathered:
    """Scores of one series at one place, by seed."""

    scores: dict[int, Score] = field(default_factory=dict)

    def mark(self, x: int | None) -> Mark:
        seeds = tuple(sorted(self.scores))
        values = tuple(self.scores[seed].value for seed in seeds)
        if len(seeds) > 1:
            return Mark(x, values, seeds, min(values), max(values))
        score = self.scores[seeds[0]]
        return Mark(x, values, seeds, score.low, score.high)


def read_panels(folder: SweepFolder, record: SweepRecord) -> list[Panel]:
    """The panels of what is done so far; target directions first, in the order of the records.

    Raises:
        CardError: if a record is damaged.
    """
    rows: dict[tuple[str, ...], Row] = {}
    cautions: dict[tuple[str, ...], dict[str, None]] = {}
    gathered: dict[tuple[str, ...], dict[tuple[str, int | None], _Gathered]] = {}
    for point in record.done:
        for x, run in measured(point, folder.run(point.name)):
            # A run keeps the records of test sets that its recipe no longer names.
            records = [each for each in run.read_evaluations() if each.task in point.tasks]
            for row in comparison_table(records):
                if ADAPTED not in row.scores:
                    continue
                key = (row.dataset, row.what, row.metric, row.signature, row.data_fingerprint, str(row.shots))
                rows.setdefault(key, row)
                place = gathered.setdefault(key, {}).setdefault((point.series, x), _Gathered())
                place.scores[point.seed] = row.scores[ADAPTED]
                told = [score.caution for score in row.scores.values() if score.caution]
                cautions.setdefault(key, {}).update(dict.fromkeys(told))
    keys = sorted(rows, key=lambda key: rows[key].role == "known")
    return [_panel(rows[key], gathered[key], record.points, tuple(cautions[key])) for key in keys]


def test_sets(panels: Iterable[Panel]) -> str:
    """The names of the test sets, each with its number of items."""
    sizes: dict[str, set[int]] = {}
    for panel in panels:
        sizes.setdefault(panel.dataset, set()).add(panel.n)
    return ", ".join(f"{name} (n = {' to '.join(f'{n:,}' for n in _ends(found))})" for name, found in sizes.items())


def _ends(numbers: set[int]) -> list[int]:
    return sorted({min(numbers), max(numbers)})


def numbers_of_seeds(panels: Iterable[Panel]) -> set[int]:
    """With how many seeds places were trained: one number unless some have more than others."""
    return {
        len(mark.seeds)
        for panel in panels
        for places in (*panel.series.values(), panel.references.values())
        for mark in places
    }


def intervals_in_words(panels: Sequence[Panel]) -> str:
    """What the scores and their intervals are."""
    numbers = numbers_of_seeds(panels)
    most = max(numbers, default=1)
    if most == 1:
        return "one seed, with 95% bootstrap intervals over sentences"
    alone = "of the base" if numbers == {most} else "of the base and of what has one seed"
    return (
        f"means of {'' if numbers == {most} else 'up to '}{most} seeds, with the lowest and the highest; "
        f"{alone}, 95% bootstrap intervals over sentences"
    )


def cautions_in(panels: Iterable[Panel]) -> list[str]:
    """Why not to rely on some of these scores; each reason once."""
    return list(dict.fromkeys(caution for panel in panels for caution in panel.cautions))


def _panel(
    row: Row,
    gathered: dict[tuple[str, int | None], _Gathered],
    points: Sequence[PointRecord],
    cautions: tuple[str, ...],
) -> Panel:
    series: dict[str, tuple[Mark, ...]] = {}
    references: dict[str, Mark] = {}
    for name in dict.fromkeys(point.series for point in points):
        places = [(x, each) for (series_name, x), each in gathered.items() if series_name == name]
        marks = tuple(each.mark(x) for x, each in sorted(places, key=lambda place: place[0] or 0))
        if marks and is_reference(name) and marks[0].x is None:
            references[name] = marks[0]
        elif marks:
            series[name] = marks
    base = row.scores.get(BASE)
    return Panel(
        row.task,
        row.dataset,
        row.what,
        row.role,
        row.metric,
        row.lower_is_better,
        row.decimals,
        row.n,
        row.shots,
        row.signature,
        Mark(None, (base.value,), (), base.low, base.high) if base else None,
        series,
        references,
        cautions,
    )


def as_csv(panels: Iterable[Panel]) -> str:
    """The numbers of the figures: one line per place of a line, per bar, and per dotted line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["dataset", "direction", "role", "metric", "n", "shots", "series", "x"]
    writer.writerow([*columns, "mean", "low", "high", "between", "seeds", "values", "signature", "caution"])
    for panel in panels:
        places = [("base", panel.base)] if panel.base else []
        places += [(name, mark) for name, mark in panel.references.items()]
        places += [(name, mark) for name, marks in panel.series.items() for mark in marks]
        for name, mark in places:
            about = [panel.dataset, panel.direction, panel.role, panel.heading, panel.n, panel.shots, name, mark.x]
            between = "lowest and highest seed" if len(mark.seeds) > 1 else "95% interval"
            numbers = [mark.mean, mark.low, mark.high, between, _spaced(mark.seeds), _spaced(mark.values)]
            writer.writerow([*about, *numbers, panel.signature, "; ".join(panel.cautions)])
    return text.getvalue()


def _spaced(numbers: Iterable[float]) -> str:
    return " ".join(map(str, numbers))
