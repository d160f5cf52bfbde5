"""How far a score may move by the draw of test sentences: bootstrap intervals and the paired test (Koehn, 2004).

Resamples, order statistics and p value are those of sacrebleu's significance tests, computed with matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
SEED = 12345  # sacrebleu's default

# Shapes: R resamples, N sentences, K statistics per sentence.


class Scores(Protocol):
    """What a metric has to do here."""

    def score(self, sums: Sequence[float]) -> float:
        """The score of a test set whose statistics add up to `sums`. (K,)"""
        ...


@dataclass(frozen=True)
class Resampled:
    """A score, and what it would be on R other draws of the test sentences."""

    value: float
    draws: NDArray[np.float64]  # (R,)

    @property
    def interval(self) -> tuple[float, float]:
        """The middle 95% of the resampled scores."""
        ordered = np.sort(self.draws)
        edge = len(ordered) // 40
        return float(ordered[edge]), float(ordered[len(ordered) - edge - 1])


def resample(metric: Scores, statistics: NDArray[np.float64], *, resamples: int = RESAMPLES) -> Resampled:
    """The score on the test set, and on `resamples` test sets of its size drawn from it with replacement.

    Args:
        statistics: what each sentence contributes. (N, K)
    """
    sums = _counts(len(statistics), resamples) @ statistics  # (R, K)
    draws = np.array([metric.score(row) for row in sums.tolist()])
    return Resampled(metric.score(statistics.sum(axis=0).tolist()), draws)


def mean_of(draws: Sequence[Resampled]) -> Resampled:
    """The mean score over several draws of worked examples; each resample has the same test sentences in all."""
    return Resampled(fmean(each.value for each in draws), np.mean([each.draws for each in draws], axis=0))


def difference(system: Resampled, baseline: Resampled) -> Resampled:
    """How far one score is from another on the same sentences, in the score's own unit."""
    return Resampled(system.value - baseline.value, system.draws - baseline.draws)


def relative_difference(system: Resampled, baseline: Resampled) -> Resampled | None:
    """The same in percent of the other; None where a resample of the other scores nothing."""
    if not baseline.value or not baseline.draws.all():
        return None
    return Resampled(100 * (system.value / baseline.value - 1), 100 * (system.draws / baseline.draws - 1))


def paired_p_value(system: Resampled, baseline: Resampled) -> float:
    """How likely a difference at least this large is if both are equally good; both drew the same sentences.

    1.0 for two systems that never differ, where sacrebleu's formula gives its smallest value.
    """
    if np.array_equal(system.draws, baseline.draws):
        return 1.0
    difference = abs(system.value - baseline.value)
    differences = np.abs(system.draws - baseline.draws)
    beyond = int(np.sum(differences - differences.mean() > difference))
    return (beyond + 1) / (len(differences) + 1)


def _counts(n: int, resamples: int) -> NDArray[np.float64]:
    """How often each sentence is drawn in each resample, the same for every system. (R, N)"""
    drawn = np.random.default_rng(SEED).choice(n, size=(resamples, n), replace=True)
    counts = np.zeros((resamples, n))
    for row, indices in zip(counts, drawn, strict=True):
        row += np.bincount(indices, minlength=n)
    return counts
