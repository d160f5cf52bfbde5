"""From samples to scores: every metric with its interval, and how sure a difference is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.evaluation.bootstrap import Resampled, mean_of, paired_p_value, resample
from toolkit.evaluation.metrics import Metric, Sample
from toolkit.records import Score

Samples = Sequence[Sequence[Sample]]
"""Per draw of worked examples, the samples in the task's order."""


@dataclass(frozen=True)
class Measured:
    """What one metric makes of a model's samples."""

    metric: Metric
    signature: str
    draws: tuple[Resampled, ...]

    @property
    def mean(self) -> Resampled:
        return mean_of(self.draws)


def measure(metrics: Sequence[Metric], samples: Samples) -> dict[str, Measured]:
    """Each metric over these samples, by its name; several draws count as their mean."""
    measured = {}
    for metric in metrics:
        draws = tuple(resample(metric, metric.statistics(each)) for each in samples)
        measured[metric.name] = Measured(metric, metric.signature, draws)
    return measured


def to_scores(
    own: Mapping[str, Measured],
    base: Mapping[str, Measured] | None = None,
    others: Mapping[str, Mapping[str, Measured]] | None = None,
    *,
    caution: str | None = None,
) -> tuple[Score, ...]:
    """Scores with their intervals; compared, resample by resample, with the base's and those of other runs.

    Args:
        base: the base's; None for the base itself, or where it was not measured.
        others: those of other runs, by name.
        caution: why not to rely on any of them.
    """
    scores = []
    for name, measured in own.items():
        mean = measured.mean
        low, high = mean.interval
        compared = {run: theirs[name] for run, theirs in (others or {}).items() if _comparable(measured, theirs)}
        scores.append(
            Score(
                metric=name,
                value=mean.value,
                low=low,
                high=high,
                p_value=paired_p_value(mean, base[name].mean) if base and _comparable(measured, base) else None,
                signature=measured.signature,
                lower_is_better=measured.metric.lower_is_better,
                draws=tuple(draw.value for draw in measured.draws) if len(measured.draws) > 1 else (),
                against={run: paired_p_value(mean, theirs.mean) for run, theirs in compared.items()},
                caution="; ".join(filter(None, (caution, getattr(measured.metric, "caution", None)))) or None,
            )
        )
    return tuple(scores)


def _comparable(own: Measured, others: Mapping[str, Measured]) -> bool:
    other = others.get(own.metric.name)
    return other is not None and other.signature == own.signature and len(other.draws) == len(own.draws)
