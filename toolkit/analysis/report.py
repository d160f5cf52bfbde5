"""`sweep.md`, the table and the figures of a sweep, made from its records alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from toolkit.analysis.points import is_reference
from toolkit.analysis.record import SweepFolder, SweepRecord
from toolkit.analysis.scores import Mark, Panel, as_csv, has_seeds, read_panels, test_sets
from toolkit.errors import EvaluationError

HEADINGS = {
    "budgets": "Score against the number of layers that train",
    "positions": "Score against the position of the layers that train",
    "methods": "Ways to choose the layers that train",
    "order": "Both ends together, or one after the other",
    "time": "Score while training",
}
AXES = {"budgets": "layers", "positions": "offset", "time": "steps"}


def write_report(folder: SweepFolder, record: SweepRecord) -> Path:
    """Draw the figures, and write the numbers beside them and the summary.

    Raises:
        EvaluationError: if nothing was measured yet.
    """
    from toolkit.analysis.figures import draw_figures

    if not can_be_drawn(record):
        raise EvaluationError(f"{folder.root} holds no scores to draw yet", "let at least one of its points finish")
    panels = read_panels(folder, record)
    figures = draw_figures(folder, record, panels)
    _write(folder.scores, as_csv(panels))
    _write(folder.report, _markdown(folder, record, panels, figures))
    return folder.report


def can_be_drawn(record: SweepRecord) -> bool:
    """Whether more than what the others are compared with is done."""
    return any(not is_reference(point.series) or point.x is not None for point in record.done)


def table(record: SweepRecord, panels: Sequence[Panel]) -> tuple[list[str], list[list[str]]]:
    """Heading and lines for the panels of one metric: a line per place, a column per direction."""
    several = len({panel.dataset for panel in panels}) > 1
    axis = AXES.get(record.kind)
    heading = ["trained", *([axis] if axis else [])]
    heading += [f"{panel.dataset} {panel.direction}" if several else panel.direction for panel in panels]
    lines = [["base", *([""] if axis else []), *(_cell(panel.base) for panel in panels)]]
    for name in dict.fromkeys(name for panel in panels for name in panel.references):
        lines.append([name, *([""] if axis else []), *(_cell(panel.references.get(name)) for panel in panels)])
    places = dict.fromkeys((name, mark.x) for panel in panels for name, marks in panel.series.items() for mark in marks)
    for name, x in places:
        cells = [_cell(_find(panel, name, x)) for panel in panels]
        lines.append([name, *([str(x)] if axis else []), *cells])
    return heading, lines


def _find(panel: Panel, name: str, x: int | None) -> Mark | None:
    return next((mark for mark in panel.series.get(name, ()) if mark.x == x), None)


def _cell(mark: Mark | None) -> str:
    if mark is None:
        return "not measured"
    if mark.low is None or mark.high is None:
        return f"{mark.mean:.1f}"
    return f"{mark.mean:.1f} [{mark.low:.1f}, {mark.high:.1f}]"


def _markdown(folder: SweepFolder, record: SweepRecord, panels: Sequence[Panel], figures: Sequence[Path]) -> str:
    parts = [f"# {HEADINGS[record.kind]}", _summary(record, panels)]
    by_metric = dict.fromkeys(panel.metric for panel in panels)
    for metric, figure in zip(by_metric, figures, strict=False):
        shown = [panel for panel in panels if panel.metric == metric]
        heading, lines = table(record, shown)
        signatures = ", ".join(f"`{signature}`" for signature in dict.fromkeys(panel.signature for panel in shown))
        parts += [f"## {metric}", _picture(figure, f"{metric}: {HEADINGS[record.kind].lower()}")]
        parts += [_rows(heading, lines), f"Signature: {signatures}"]
    for figure in figures[len(by_metric) :]:
        parts += ["## Layers that each method chose", _picture(figure, "layers that each method chose")]
    if record.failed:
        parts += ["## Failed", "\n".join(f"- `{point.name}`: {point.error}" for point in record.failed)]
    return "\n\n".join(parts) + "\n"


def _summary(record: SweepRecord, panels: Sequence[Panel]) -> str:
    spread = "means over seeds [lowest, highest]" if has_seeds(panels) else "one seed, 95% bootstrap intervals"
    seeds = sorted({point.seed for point in record.done})
    return (
        f"Base `{record.base.id}` ({record.base.n_layers} layers), language `{record.language}`; "
        f"{len(record.done)} of {len(record.points)} runs are done; seeds {', '.join(map(str, seeds))}. "
        f"Tested on {test_sets(panels)}. Scores: {spread}.\n\n"
        "Each run has a folder of its own beside this file, with its recipe, delta and records; "
        "`scores.csv` holds the numbers of the figures."
    )


def _picture(figure: Path, text: str) -> str:
    return f"![{text}](figures/{figure.name}) ([SVG](figures/{figure.with_suffix('.svg').name}))"


def _rows(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(heading) - 1)
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in (heading, rule, *lines)
    )


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(text, encoding="utf-8", newline="\n")
    os.replace(draft, path)
