"""The figures of a sweep, after those of CogSym (arXiv 2604.00923), drawn from its records alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.analysis.charts import (
    draw_bars,
    draw_chosen_layers,
    draw_columns,
    draw_forest,
    draw_lines,
    draw_strip,
    own_span,
    score_top,
)
from toolkit.analysis.points import is_reference
from toolkit.analysis.record import SweepFolder, SweepRecord
from toolkit.analysis.scores import Panel, cautions_in, intervals_in_words, test_sets
from toolkit.analysis.style import canvas, footer, literal, looks, plain_axes, save, slug, spread_panels, title
from toolkit.records import SelectionInfo

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3  # panels side by side, at most
PANEL_WIDTH, PANEL_HEIGHT, STRIP_HEIGHT = 3.7, 2.3, 0.75  # inches
NUMBERS_WIDTH = 0.7  # of a scale of its own, in inches
BAR_HEIGHT = 0.3


def draw_figures(folder: SweepFolder, record: SweepRecord, panels: Sequence[Panel]) -> dict[str, Path]:
    """For each metric its scores and, of bars, how far each is from everything trained; the layers that were chosen.

    Returns:
        The PNG files by what they show: `chrF++`, `chrF++ against full`, `layers`.
    """
    drawn = {}
    for metric in dict.fromkeys(panel.metric for panel in panels):
        shown = [panel for panel in panels if panel.metric == metric]
        drawn[metric] = save(draw_scores(record, shown), folder.figures, slug(metric))[0]
        apart = draw_differences(record, shown) if record.kind in ("methods", "order") else None
        if apart is not None:
            drawn[f"{metric} against full"] = save(apart, folder.figures, f"{slug(metric)}-against-full")[0]
    chosen = _chosen_layers(folder, record) if record.kind == "methods" else {}
    if chosen:
        drawn["layers"] = save(draw_layers(chosen), folder.figures, "layers")[0]
    return drawn


def draw_scores(record: SweepRecord, panels: Sequence[Panel]) -> Figure:
    """All panels of one metric: lines over budgets or steps, bars over methods and orders, columns over positions."""
    series = list(dict.fromkeys(name for panel in panels for name in panel.series))
    if record.kind in ("methods", "order"):
        figure = _bar_figure(panels, series)
    elif record.kind == "positions":
        figure = _position_figure(record, panels, series)
    else:
        figure = _line_figure(record, panels, series)
    footer(figure, _facts(record, panels))
    return figure


def draw_differences(record: SweepRecord, panels: Sequence[Panel]) -> Figure | None:
    """How far each bar is from everything trained, in percent; None where nothing was compared in percent."""
    apart = {
        (each.task, each.series): each
        for each in record.differences
        if each.against != "base" and each.metric == panels[0].metric and each.percent is not None
    }
    series = [name for name in dict.fromkeys(name for panel in panels for name in panel.series) if _any(apart, name)]
    if not series:
        return None
    figure, grid = _panels(panels, 0.6 + BAR_HEIGHT * len(series), sharey=False)
    spread_panels(figure)
    for index, panel in enumerate(panels):
        _frame(grid[index], panel, panels, grid="x")
        of_panel = {name: apart[panel.task, name] for name in series if (panel.task, name) in apart}
        draw_forest(grid[index], of_panel, series, looks(series), first=index % COLUMNS == 0)
        better = "left" if panel.lower_is_better else "right"
        grid[index].set_xlabel(literal(f"{panel.metric}, % from full; better to the {better}"))
    numbers = sorted({len(each.seeds) for each in apart.values()})
    seeds = "one seed" if numbers == [1] else f"means of {' or '.join(map(str, numbers))} seeds"
    sentences = [
        f"Line at 0: everything trained (full); {seeds}. "
        "Intervals: the middle 95% of paired resamples of the sentences.",
        f"Base: {record.base.id}. Tested on {test_sets(panels)}.",
    ]
    footer(figure, sentences)
    return figure


def _any(apart: Iterable[tuple[str, str]], name: str) -> bool:
    return any(series == name for _, series in apart)


def draw_layers(chosen: dict[str, list[SelectionInfo]]) -> Figure:
    """Which layers each method trains."""
    n_layers = next(iter(chosen.values()))[0].n_layers
    figure = canvas(min(9.0, 2.2 + 0.26 * n_layers), 1.1 + BAR_HEIGHT * len(chosen))
    draw_chosen_layers(figure.subplots(), chosen, looks(chosen))
    ranked = any(selection.scores is not None for selections in chosen.values() for selection in selections)
    several = any(len(selections) > 1 for selections in chosen.values())
    note = "paler: chosen with some of the seeds" if several else "numbers: the method's own ranking" if ranked else ""
    footer(figure, ["Coloured: trained." + (f" {note[0].upper()}{note[1:]}." if note else "")])
    return figure


def _line_figure(record: SweepRecord, panels: Sequence[Panel], series: Sequence[str]) -> Figure:
    over_time = record.kind == "time"
    alone = panels[0].lower_is_better
    width = PANEL_WIDTH + NUMBERS_WIDTH if alone else PANEL_WIDTH
    figure, grid = _panels(panels, PANEL_HEIGHT, sharey=not alone, width_inches=width)
    places = sorted({mark.x or 0 for panel in panels for marks in panel.series.values() for mark in marks})
    for index, panel in enumerate(panels):
        axes = grid[index]
        _frame(axes, panel, panels, grid="y")
        draw_lines(
            axes,
            panel,
            looks(series),
            span=own_span(panel) if alone else (0.0, score_top(panels)),
            from_base=over_time,
            panel_inches=PANEL_HEIGHT,
        )
        if len(places) <= 10 and not over_time:
            axes.set_xticks(places)
        axes.set_xlabel("training steps" if over_time else f"decoder layers that train, of {record.base.n_layers}")
        if index % COLUMNS == 0:
            axes.set_ylabel(literal(panel.heading))
    return figure


def _bar_figure(panels: Sequence[Panel], series: Sequence[str]) -> Figure:
    figure, grid = _panels(panels, 0.6 + BAR_HEIGHT * len(series), sharey=False)
    spread_panels(figure)
    for index, panel in enumerate(panels):
        _frame(grid[index], panel, panels, grid="x")
        draw_bars(grid[index], panel, series, looks(series), top=score_top(panels), first=index % COLUMNS == 0)
        grid[index].set_xlabel(literal(panel.heading))
    return figure


def _position_figure(record: SweepRecord, panels: Sequence[Panel], series: Sequence[str]) -> Figure:
    columns, lines = _shape(panels)
    figure = canvas(columns * PANEL_WIDTH + 0.3, lines * (PANEL_HEIGHT + STRIP_HEIGHT + 0.75) + 0.5)
    grid = figure.subplots(
        2 * lines, columns, squeeze=False, sharex="col", height_ratios=[PANEL_HEIGHT, STRIP_HEIGHT] * lines
    )
    places = {point.x: int(point.select.split(":")[1].split("@")[0]) for point in record.done if point.x is not None}
    for index in range(lines * columns):
        line, column = divmod(index, columns)
        above, below = grid[2 * line, column], grid[2 * line + 1, column]
        if index >= len(panels):
            above.set_visible(False)
            below.set_visible(False)
            continue
        _frame(above, panels[index], panels, grid="y")
        draw_columns(above, panels[index], looks(series), top=score_top(panels), panel_inches=PANEL_HEIGHT)
        draw_strip(below, places, record.base.n_layers, first=column == 0)
        above.tick_params(labelleft=column == 0)
        if column == 0:
            above.set_ylabel(literal(panels[index].heading))
    return figure


def _shape(panels: Sequence[Panel]) -> tuple[int, int]:
    """Columns and lines of panels."""
    columns = min(COLUMNS, len(panels))
    return columns, -(-len(panels) // columns)


def _panels(
    panels: Sequence[Panel], height_inches: float, *, sharey: bool, width_inches: float = PANEL_WIDTH
) -> tuple[Figure, list[Axes]]:
    columns, lines = _shape(panels)
    figure = canvas(columns * width_inches + 0.3, lines * (height_inches + 0.75) + 0.5)
    grid = list(figure.subplots(lines, columns, squeeze=False, sharey=sharey).flat)
    for unused in grid[len(panels) :]:
        unused.set_visible(False)
    return figure, grid


def _frame(axes: Axes, panel: Panel, panels: Sequence[Panel], *, grid: str) -> None:
    plain_axes(axes, grid=grid)
    several = len({each.dataset for each in panels}) > 1
    title(axes, panel.title, ", ".join([panel.dataset] * several + ["known before"] * (panel.role == "known")))


def _facts(record: SweepRecord, panels: Sequence[Panel]) -> list[str]:
    """What a reader needs besides the axes."""
    tested = test_sets(panels)
    shots = {panel.shots for panel in panels} - {0}
    if shots:
        tested += f", {max(shots)}-shot"
    dotted = ", ".join(["base", *dict.fromkeys(name for panel in panels for name in panel.references)])
    sentences = [f"Base: {record.base.id}. Tested on {tested}; {intervals_in_words(panels)}. Dotted lines: {dotted}."]
    sentences += [*cautions_in(panels), *dict.fromkeys(panel.signature for panel in panels)]
    return sentences


def _chosen_layers(folder: SweepFolder, record: SweepRecord) -> dict[str, list[SelectionInfo]]:
    """The selections that were found, by series and seed, without the one that is everything."""
    chosen: dict[str, list[SelectionInfo]] = {}
    for point in record.done:
        run = folder.run(point.name)
        if not is_reference(point.series) and point.method == "weights" and run.selection.is_file():
            chosen.setdefault(point.series, []).append(run.read_selection())
    return chosen
