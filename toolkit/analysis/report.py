"""`sweep.md`, the table and the figures of a sweep, made from its records alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from toolkit.analysis.points import is_reference
from toolkit.analysis.record import Difference, SweepFolder, SweepRecord
from toolkit.analysis.scores import (
    BASE,
    Mark,
    Panel,
    as_csv,
    cautions_in,
    intervals_in_words,
    numbers_of_seeds,
    read_panels,
    test_sets,
)
from toolkit.errors import EvaluationError
from toolkit.records import shown_change

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
    axis = AXES.get(record.kind)
    lines = [["base", *([""] if axis else []), *(_cell(panel.base, panel) for panel in panels)]]
    for name, x in _places(panels):
        cells = [_cell(_find(panel, name, x), panel) for panel in panels]
        lines.append([*_place(record, panels, name, x), *cells])
    return _heading(record, panels), lines


def table_of_panel(record: SweepRecord, panel: Panel) -> tuple[list[str], list[list[str]]]:
    """The same for one direction alone, with how far each place is from everything trained and from the base."""
    heading, lines = table(record, [panel])
    heading[-1] = "score"
    places = len(heading) - 1  # how many cells name the place
    for base in (False, True):
        _, apart = table_of_differences(record, [panel], base=base)
        if apart:
            told = {tuple(line[:places]): line[-1] for line in apart}
            heading.append("from base" if base else "from full")
            lines = [[*line, told.get(tuple(line[:places]), "")] for line in lines]
    return heading, lines


def table_of_differences(
    record: SweepRecord, panels: Sequence[Panel], *, base: bool
) -> tuple[list[str], list[list[str]]]:
    """How far each place is from everything trained, or from the base; no lines where that was not measured.

    In percent of the other's score, `~` before what may be chance; in the metric's unit where the other scores 0.
    """
    found = {
        (each.task, each.metric, each.series, each.x): each
        for each in record.differences
        if (each.against == "base") == base
    }
    lines = []
    for name, x in _places(panels):
        cells = [
            _apart(found.get((panel.task, panel.metric, name, x)), panel, _find(panel, name, x)) for panel in panels
        ]
        if any(cells):
            lines.append([*_place(record, panels, name, x), *(cell or "not measured" for cell in cells)])
    return _heading(record, panels), lines


def _heading(record: SweepRecord, panels: Sequence[Panel]) -> list[str]:
    several = len({panel.dataset for panel in panels}) > 1
    axis = AXES.get(record.kind)
    directions = [f"{panel.dataset} {panel.direction}" if several else panel.direction for panel in panels]
    return ["trained", *([axis] if axis else []), *directions]


def _places(panels: Sequence[Panel]) -> list[tuple[str, int | None]]:
    """What is compared with first, then every other place."""
    references = [(name, None) for panel in panels for name in panel.references]
    places = [(name, mark.x) for panel in panels for name, marks in panel.series.items() for mark in marks]
    return list(dict.fromkeys([*references, *places]))


def _place(record: SweepRecord, panels: Sequence[Panel], name: str, x: int | None) -> list[str]:
    """The cells that name a place; with its number of seeds where some have more than others."""
    found = [mark for panel in panels if (mark := _find(panel, name, x)) is not None]
    seeds = max((len(mark.seeds) for mark in found), default=0)
    told = f"{name} ({seeds} seed{'s' * (seeds != 1)})" if len(numbers_of_seeds(panels)) > 1 else name
    return [told, *(["" if x is None else str(x)] if record.kind in AXES else [])]


def _apart(each: Difference | None, panel: Panel, mark: Mark | None) -> str:
    if each is None:
        return ""
    chance = "~" if each.low <= 0 <= each.high else ""
    of = (
        "" if mark is None or len(each.seeds) == len(mark.seeds) else f" ({len(each.seeds)} of {len(mark.seeds)} seeds)"
    )
    if each.percent is None or each.percent_low is None or each.percent_high is None:
        digits = panel.decimals
        value = _points_apart(each, panel, mark)
        return f"{chance}{value:+.{digits}f} [{each.low:+.{digits}f}, {each.high:+.{digits}f}]{of}"
    return f"{chance}{each.percent:+.1f}% [{each.percent_low:+.1f}, {each.percent_high:+.1f}]{of}"


def _points_apart(each: Difference, panel: Panel, mark: Mark | None) -> float:
    """The difference as it follows from the two scores shown, where these are the ones that were compared."""
    other = panel.base if each.against == BASE else panel.references.get(each.against)
    if mark is None or other is None:
        return each.value
    shown = shown_change(other.mean, mark.mean, panel.decimals)
    step = 10.0**-panel.decimals  # further apart, they are means over other seeds
    return shown if abs(shown - each.value) <= step else each.value


def _find(panel: Panel, name: str, x: int | None) -> Mark | None:
    marks = (*panel.series.get(name, ()), *(mark for key, mark in panel.references.items() if key == name))
    return next((mark for mark in marks if mark.x == x), None)


def _cell(mark: Mark | None, panel: Panel) -> str:
    if mark is None:
        return "not measured"
    mean, low, high = (
        None if value is None else f"{value:.{panel.decimals}f}" for value in (mark.mean, mark.low, mark.high)
    )
    return f"{mean}" if low is None or high is None else f"{mean} [{low}, {high}]"


def _markdown(folder: SweepFolder, record: SweepRecord, panels: Sequence[Panel], figures: Mapping[str, Path]) -> str:
    parts = [f"# {HEADINGS[record.kind]}", _summary(record, panels)]
    for metric in dict.fromkeys(panel.metric for panel in panels):
        shown = [panel for panel in panels if panel.metric == metric]
        signatures = ", ".join(f"`{signature}`" for signature in dict.fromkeys(panel.signature for panel in shown))
        parts += [f"## {shown[0].heading}", _picture(figures[metric], f"{metric}: {HEADINGS[record.kind].lower()}")]
        parts += [_rows(*table(record, shown)), *cautions_in(shown), f"Signature: {signatures}"]
        parts += _differences(record, shown, figures.get(f"{metric} against full"))
    if "layers" in figures:
        parts += ["## Layers that each method chose", _picture(figures["layers"], "layers that each method chose")]
    if record.failed:
        parts += ["## Failed", "\n".join(f"- `{point.name}`: {point.error}" for point in record.failed)]
    return "\n\n".join(parts) + "\n"


def _differences(record: SweepRecord, panels: Sequence[Panel], figure: Path | None) -> list[str]:
    """How far from everything trained, and whether known languages changed; `~` stands before what may be chance."""
    metric, parts = panels[0].metric, []
    heading, lines = table_of_differences(record, panels, base=False)
    if lines:
        parts.append(f"### {metric}, difference from everything trained")
        parts += [_picture(figure, f"{metric}: difference from everything trained")] if figure else []
        parts.append(_rows(heading, lines))
    known = [panel for panel in panels if panel.role == "known"]
    heading, lines = table_of_differences(record, known, base=True)
    if lines:
        parts += [f"### {metric} of what was known before, difference from the base", _rows(heading, lines)]
    if parts:
        parts.append(
            "In percent of the other's score, with the middle 95% of paired resamples of the sentences; "
            "`~` before a difference that the draw of sentences alone may have made."
        )
    return parts


def _summary(record: SweepRecord, panels: Sequence[Panel]) -> str:
    seeds = sorted({point.seed for point in record.done})
    return (
        f"Base `{record.base.id}` ({record.base.n_layers} layers), language `{record.language}`; "
        f"{len(record.done)} of {len(record.points)} runs are done; seeds {', '.join(map(str, seeds))}. "
        f"Tested on {test_sets(panels)}. Scores: {intervals_in_words(panels)}.\n\n"
        "Each run has a folder of its own beside this file, with its recipe, delta and records; "
        "`scores.csv` holds the numbers of the figures."
    )


def _picture(figure: Path, text: str) -> str:
    return f"![{text}](figures/{figure.name}) ([SVG](figures/{figure.with_suffix('.svg').name}))"


def _rows(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(heading) - 1)
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("~", "\\~") for cell in line) + " |"
        for line in (heading, rule, *lines)
    )


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(text, encoding="utf-8", newline="\n")
    os.replace(draft, path)
