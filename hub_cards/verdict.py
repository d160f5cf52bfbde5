"""When a card calls a direction good, fair, weak or poor, and when it says that something got better or worse.

The rule is the project's own and coarse on purpose: it errs towards warning, because readers act on the word.
"""

from __future__ import annotations

from hub_cards.facts import Change, Grade, Measurement, ScoreRow, Verdict

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
    """The word for this row: by the lower end of the interval where there is one, else by the score."""
    assert row.adapted is not None
    if row.change == "worse":
        return "worse"
    if row.change == "same":
        return "no gain"
    poor, fair, good = THRESHOLDS[row.metric]
    value = row.adapted.low if row.adapted.low is not None else row.adapted.value
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
