"""How far each place of a sweep is from the base, and from everything trained, on the same resampled sentences.

Two scores whose intervals overlap may still differ for sure: the sentences are the same, and what is hard for one is
hard for the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from toolkit.analysis.points import FULL, LORA, Sweep, is_reference
from toolkit.analysis.record import Difference, PointRecord, SweepFolder, measured
from toolkit.evaluation.bootstrap import Resampled, difference, mean_of, relative_difference
from toolkit.evaluation.evaluated import ADAPTED, BASE, Evaluated
from toolkit.evaluation.making import make_tasks
from toolkit.evaluation.scoring import Measured
from toolkit.evaluation.summary import measure_all

Place = tuple[str, int | None]
"""A series, and where on the axis."""

_Scores = Mapping[tuple[str, str], Measured]  # by task and metric


class Comparison:
    """What the points of a sweep make of its test sets, against the base and against everything trained."""

    def __init__(self, sweep: Sweep, folder: SweepFolder) -> None:
        """Raises CorpusError, EvaluationError: if a test set cannot be read."""
        recipe = sweep.recipe
        self._folder = folder
        self._tests = make_tasks(recipe.evaluation, recipe.language, recipe.prompt, limit=sweep.limit)
        self._places: dict[Place, dict[int, _Scores]] = {}
        self._base: dict[Place, dict[int, _Scores]] = {}  # as each run measured it: on its own machine, if need be

    def add(self, point: PointRecord) -> None:
        """Measure a point that is done, on the answers in its run folder."""
        for x, run in measured(point, self._folder.run(point.name)):
            evaluated, place = Evaluated(run), (point.series, x)
            self._base.setdefault(place, {})[point.seed] = measure_all(evaluated, BASE, self._tests)
            self._places.setdefault(place, {})[point.seed] = measure_all(evaluated, ADAPTED, self._tests)

    def differences(self) -> tuple[Difference, ...]:
        """Of the points so far."""
        found: list[Difference] = []
        for place, own in self._places.items():
            found += _against(place, own, "base", self._base[place])
            reference = _reference(place, self._places)
            if reference is not None:
                found += _against(place, own, reference[0], self._places[reference])
        return tuple(found)


def _reference(place: Place, places: Mapping[Place, object]) -> Place | None:
    """Everything trained: by the same method and at the same place if there is such a run."""
    series, x = place
    if is_reference(series):
        return None
    names = (FULL + LORA, FULL) if series.endswith(LORA) else (FULL,)
    return next((each for name in names for each in ((name, x), (name, None)) if each in places), None)


def _against(
    place: Place, own: Mapping[int, _Scores], against: str, others: Mapping[int, _Scores]
) -> Iterator[Difference]:
    seeds = tuple(sorted(own.keys() & others.keys()))
    if not seeds:
        return
    for key in own[seeds[0]]:
        pairs = [(own[seed].get(key), others[seed].get(key)) for seed in seeds]
        scores = [(mine.mean, theirs.mean) for mine, theirs in pairs if mine and theirs and _alike(mine, theirs)]
        if len(scores) == len(seeds):
            yield _difference(place, against, key, seeds, scores)


def _alike(own: Measured, other: Measured) -> bool:
    return (own.signature, len(own.draws)) == (other.signature, len(other.draws))


def _difference(
    place: Place,
    against: str,
    key: tuple[str, str],
    seeds: tuple[int, ...],
    scores: Sequence[tuple[Resampled, Resampled]],
) -> Difference:
    own, other = mean_of([mine for mine, _ in scores]), mean_of([theirs for _, theirs in scores])
    apart, relative = difference(own, other), relative_difference(own, other)
    low, high = apart.interval
    percent_low, percent_high = (None, None) if relative is None else relative.interval
    return Difference(
        series=place[0],
        x=place[1],
        against=against,
        task=key[0],
        metric=key[1],
        value=apart.value,
        low=low,
        high=high,
        percent=None if relative is None else relative.value,
        percent_low=percent_low,
        percent_high=percent_high,
        seeds=seeds,
        by_seed=tuple(mine.value - theirs.value for mine, theirs in scores),
    )
