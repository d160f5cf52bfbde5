"""The comparison of models on the same sentences, as rows of data and as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from toolkit.errors import EvaluationError
from toolkit.records import EvaluationRecord, Score, TaskKind, shown_change

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Row:
    """One metric on one test set in one direction, with the score of every model that was measured on it."""

    task: str  # as its records are called
    dataset: str
    direction: str
    role: Literal["target", "known"]
    metric: str
    n: int
    shots: int
    signature: str
    data_fingerprint: str
    kind: TaskKind
    draws: int  # of worked examples, of which a score is the mean
    lower_is_better: bool
    scores: dict[str, Score]  # by model

    @property
    def what(self) -> str:
        """Direction or language, and what was asked where that is not translation."""
        return self.direction if self.kind == "translation" else f"{self.direction} {self.kind.replace('_', ' ')}"

    @property
    def decimals(self) -> int:
        """One on the scale of 0 to 100; more where scores are small numbers."""
        return {"COMET-22": 4, "COMET": 4, "bits per byte": 3}.get(self.metric, 1)

    def change(self, model: str, baseline: str = "base") -> float | None:
        """Points gained against the baseline, as rounded as the scores; None where either was not measured."""
        if model == baseline or model not in self.scores or baseline not in self.scores:
            return None
        return shown_change(self.scores[baseline].value, self.scores[model].value, self.decimals)

    def is_noise(self, model: str) -> bool:
        """Whether the difference from the base could well come from the draw of sentences alone."""
        score = self.scores.get(model)
        return score is not None and score.p_value is not None and score.p_value >= SIGNIFICANT

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"scores": {model: score.model_dump() for model, score in self.scores.items()}}


def comparison_table(records: Iterable[EvaluationRecord]) -> list[Row]:
    """Records of the same sentences, prompt and metric side by side.

    The learnt language comes first, and translation before the rest.

    Raises:
        EvaluationError: if two records give the same model different scores on the same thing.
    """
    rows: dict[tuple[Any, ...], Row] = {}
    for record in sorted(records, key=lambda record: record.model != "base"):  # the base's column first
        for score in record.scores:
            key = (
                record.task,
                record.data_fingerprint,
                record.prompt,
                record.shots,
                record.seeds,
                score.metric,
                score.signature,
            )
            row = rows.setdefault(
                key,
                Row(
                    record.task,
                    record.dataset,
                    record.direction,
                    record.role,
                    score.metric,
                    record.n,
                    record.shots,
                    score.signature,
                    record.data_fingerprint,
                    record.kind,
                    len(record.seeds),
                    score.lower_is_better,
                    {},
                ),
            )
            earlier = row.scores.setdefault(record.model, score)
            if earlier.value != score.value:
                raise EvaluationError(
                    f"two records of '{record.model}' on {record.task} disagree: {score.metric} {earlier.value:.2f} "
                    f"and {score.value:.2f}",
                    "these runs stand on different bases or versions; evaluate both with --again",
                )
    return sorted(rows.values(), key=lambda row: (row.role == "known", row.kind != "translation"))


def models_of(rows: Iterable[Row]) -> list[str]:
    """The models of a table in the order of their columns, the base first."""
    names = {model: None for row in rows for model in row.scores}
    return sorted(names, key=lambda name: name != "base")


def cells(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Heading and lines as text: scores with their 95% intervals, `~` before a change that may be noise."""
    models = models_of(rows)
    changed = [model for model in models if model != "base"] if "base" in models else []
    several = len(changed) > 1
    heading = ["test set", "n", "what", "metric", *models]
    heading += [f"change {model}" if several else "change" for model in changed]
    lines = []
    for row in rows:
        metric = f"{row.metric} (lower is better)" if row.lower_is_better else row.metric
        line = [row.dataset, str(row.n), row.what, metric]
        line += [_score_text(row.scores.get(model), row.decimals) for model in models]
        line += [_change_text(row, model) for model in changed]
        lines.append(line)
    return heading, lines


def as_markdown(rows: Sequence[Row]) -> str:
    heading, lines = cells(rows)
    rule = ["---"] * 4 + ["---:"] * (len(heading) - 4)
    # A GitHub table reads `|` as the next cell and `~x~` as struck out.
    escaped = [[cell.replace("|", "\\|").replace("~", "\\~") for cell in line] for line in (heading, *lines)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (escaped[0], rule, *escaped[1:])) + "\n"


def as_latex(rows: Sequence[Row]) -> str:
    """A `booktabs` table."""
    heading, lines = cells(rows)
    body = [" & ".join(map(_latex, line)) + r" \\" for line in lines]
    return "\n".join(
        [
            r"\begin{tabular}{" + "l" * 4 + "r" * (len(heading) - 4) + "}",
            r"\toprule",
            " & ".join(map(_latex, heading)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def as_csv(rows: Sequence[Row]) -> str:
    """One line per score, with its signature: for a spreadsheet or a plot."""
    text = io.StringIO()
    columns = ["kind", "dataset", "direction", "role", "metric", "n", "shots", "draws"]
    columns += ["model", "value", "low", "high", "p_value"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, "signature", "data_fingerprint"])
    for row in rows:
        for model, score in row.scores.items():
            about = [row.kind, row.dataset, row.direction, row.role, row.metric, row.n, row.shots, row.draws]
            numbers = [model, score.value, score.low, score.high, score.p_value]
            writer.writerow([*about, *numbers, score.signature, row.data_fingerprint])
    return text.getvalue()


def _score_text(score: Score | None, decimals: int) -> str:
    if score is None:
        return "not measured"
    if score.low is None or score.high is None:
        return f"{score.value:.{decimals}f}"
    return f"{score.value:.{decimals}f} [{score.low:.{decimals}f}, {score.high:.{decimals}f}]"


def _change_text(row: Row, model: str) -> str:
    change = row.change(model)
    if change is None:
        return "not measured"
    return f"{'~' if row.is_noise(model) else ''}{change:+.{row.decimals}f}"


def _latex(text: str) -> str:
    for plain, escaped in (("\\", r"\textbackslash "), ("&", r"\&"), ("%", r"\%"), ("_", r"\_"), ("#", r"\#")):
        text = text.replace(plain, escaped)
    return text.replace(">", "$>$").replace("~", r"$\sim$")
