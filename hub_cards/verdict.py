"""When a card calls a direction good, fair, weak or poor, and when it says that something got better or worse.

The rule is the project's own and coarse on purpose: it errs towards warning, because readers act on the word.
"""

from __future__ import annotations

from collections.abc import Iterable

from hub_cards.facts import Change, Grade, Measurement, ScoreRow, Verdict
from toolkit.records import Score

# Least value for fair, good; below the first number it is poor. The better covered a metric, the earlier it stands.
THRESHOLDS: dict[str, tuple[float, float, float]] = {
    "chrF++": (25.0, 40.0, 60.0),
    "BLEU": (5.0, 15.0, 30.0),
}
SIGNIFICANT = 0.05
"""A difference is called one when chance makes it as rarely as this, or when the 95% intervals do not meet."""


def judge(rows: tuple[ScoreRow, ...]) -> tuple[Verdict, ...]:
    """One verdict for each task in the new language, by the first metric that has thresholds."""
    tasks: dict[str, dict[str, ScoreRow]] = {}
    for row in rows:
        if row.role == "target" and row.adapted is not None:
            tasks.setdefault(row.task, {})[row.metric] = row
    verdicts = []
    for metrics in tasks.values():
        headline = next((metrics[metric] for metric in THRESHOLDS if metric in metrics), None)
        if headline is None or headline.adapted is None:
            continue
        verdicts.append(
            Verdict(
                direction=headline.direction,
                source=headline.source,
                target=headline.target,
                dataset=headline.dataset,
                metric=headline.metric,
                grade=grade(headline),
                value=headline.adapted.value,
                base_value=headline.base.value if headline.base else None,
            )
        )
    return tuple(verdicts)


def grade(row: ScoreRow) -> Grade:
    """The word for this row."""
    assert row.adapted is not None
    return _word(row.metric, row.adapted, row.change)


def grade_of(score: Score, base: Score | None = None) -> Grade:
    """The word for a score of a metric with thresholds; the same that a card says, wherever it is said.

    Args:
        score: what the model got.
        base: what the model that it was adapted from got on the same sentences; None for that model itself.
    """
    decimals = decimals_of(score.metric, [score.value])
    shown = measurement("adapted", score, decimals)
    before = measurement("base", base, decimals) if base else None
    change = compare(before, shown, score.p_value, lower_is_better=score.lower_is_better)
    return _word(score.metric, shown, change)


def decimals_of(metric: str, values: Iterable[float]) -> int:
    """Decimals to show: one on the scale of 0 to 100, three on the scale of 0 to 1."""
    if metric.startswith(("chrF", "BLEU", "spBLEU", "TER", "accuracy", "macro-F1")):
        return 1
    if metric.startswith("bits"):
        return 3
    return 3 if all(abs(value) <= 1 for value in values) else 1


def measurement(model: str, score: Score, decimals: int) -> Measurement:
    """A score as it is shown."""

    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, decimals)

    return Measurement(
        model=model, value=round(score.value, decimals), low=rounded(score.low), high=rounded(score.high)
    )


def _word(metric: str, adapted: Measurement, change: Change | None) -> Grade:
    """By the lower end of the interval where there is one, else by the score."""
    if change == "worse":
        return "worse"
    if change == "same":
        return "no gain"
    poor, fair, good = THRESHOLDS[metric]
    value = adapted.low if adapted.low is not None else adapted.value
    if value < poor:
        return "poor"
    if value < fair:
        return "weak"
    return "fair" if value < good else "good"


def compare(
    base: Measurement | None, adapted: Measurement | None, p_value: float | None, *, lower_is_better: bool = False
) -> Change | None:
    """Whether adapted differs from base beyond chance; None where nothing tells chance from change."""
    if base is None or adapted is None:
        return None
    if p_value is not None:
        differs = p_value < SIGNIFICANT
    elif None in (base.low, base.high, adapted.low, adapted.high):
        return None
    else:
        differs = adapted.low > base.high or adapted.high < base.low  # type: ignore[operator]
    if not differs:
        return "same"
    return "better" if (adapted.value > base.value) is not lower_is_better else "worse"
