"""One panel of a figure: lines over a number, bars over names, columns with the layers under them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from toolkit.analysis.record import Difference
from toolkit.analysis.scores import Mark, Panel
from toolkit.analysis.style import INK, SMALL, VERMILION, Look, label_ends, literal, plain_axes
from toolkit.records import SelectionInfo
from toolkit.selection.positions import shifted_layers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

READABLE = {"front_then_rear": "front, then rear", "rear_then_front": "rear, then front", "together": "both together"}
PALE = 0.32  # of a bar, so that its interval stands out
LETTER = 0.025  # of the axis, roughly


def draw_lines(
    axes: Axes,
    panel: Panel,
    look: dict[str, Look],
    *,
    span: tuple[float, float],
    from_base: bool,
    panel_inches: float,
) -> None:
    """A line per series over its places, in a band of what it may be off; dotted lines for what it is compared with.

    Args:
        span: where the axis of the scores begins and ends.
        from_base: whether the base is where every line starts, at 0.
    """
    ends = _reference_lines(axes, panel)
    for name, marks in panel.series.items():
        style = look[name]
        start = (Mark(0, panel.base.values, (), panel.base.low, panel.base.high),) if from_base and panel.base else ()
        shown = (*start, *marks)
        x = [mark.x or 0 for mark in shown]
        axes.plot(
            x,
            [mark.mean for mark in shown],
            color=style.colour,
            marker=style.marker,
            markersize=4.5,
            markerfacecolor="none" if style.dashed else style.colour,
            linewidth=1.6,
            linestyle=(0, (4, 2)) if style.dashed else "-",
        )
        band = [(mark.low, mark.high) for mark in shown if mark.low is not None and mark.high is not None]
        if len(band) == len(shown):
            low, high = zip(*band, strict=True)
            axes.fill_between(x, low, high, color=style.colour, alpha=0.16, linewidth=0)
        ends.append((shown[-1].mean, name, style.colour))
    axes.set_ylim(*span)
    label_ends(axes, ends, panel_inches)


def draw_bars(
    axes: Axes, panel: Panel, series: Sequence[str], look: dict[str, Look], *, top: float, first: bool
) -> None:
    """A bar per series with its interval and its number; `first` is the panel whose bars bear their names."""
    for row, name in enumerate(series):
        for mark in panel.series.get(name, ()):
            style = look[name]
            hatch = "////" if style.dashed else None
            axes.barh(row, mark.mean, height=0.66, color=style.colour, alpha=PALE, hatch=hatch, edgecolor=style.colour)
            _whisker(axes, mark, row, style, across=True)
            _number(axes, row, f"{mark.mean:.{panel.decimals}f}")
    axes.set_yticks(range(len(series)), [literal(READABLE.get(name, name)) for name in series])
    axes.set_xlim(0, top * 1.2)
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= top])
    axes.tick_params(labelleft=first)
    ends: list[float] = []  # of the texts at each height above the bars
    for text, mark in sorted(_references(panel), key=lambda reference: reference[1].mean):
        level = next((level for level, end in enumerate(ends) if end <= mark.mean), len(ends))
        ends[level : level + 1] = [mark.mean + top * (0.02 + LETTER * len(text))]
        axes.axvline(mark.mean, color=INK, linewidth=1.2, linestyle=":")
        axes.annotate(
            literal(text),
            (mark.mean, -0.75 - 0.45 * level),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            fontsize=SMALL,
        )
    axes.set_ylim(len(series) - 0.4, -0.55 - 0.45 * len(_references(panel)))


def draw_forest(
    axes: Axes, apart: Mapping[str, Difference], series: Sequence[str], look: dict[str, Look], *, first: bool
) -> None:
    """A point and its interval per series, in percent of what 0 stands for; `first` bears the names."""
    axes.axvline(0, color=INK, linewidth=1.2, linestyle=":")
    for row, name in enumerate(series):
        each = apart.get(name)
        if each is None or each.percent is None:
            continue
        _whisker(
            axes, Mark(None, (each.percent,), (), each.percent_low, each.percent_high), row, look[name], across=True
        )
        _number(axes, row, f"{each.percent:+.1f}")
    axes.set_yticks(range(len(series)), [literal(READABLE.get(name, name)) for name in series])
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.22 * (high - low))  # the numbers stand there
    axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= high])
    axes.tick_params(labelleft=first)
    axes.set_ylim(len(series) - 0.4, -0.6)


def draw_columns(axes: Axes, panel: Panel, look: dict[str, Look], *, top: float, panel_inches: float) -> None:
    """Columns over the offsets; of several series, side by side."""
    width = 0.62 / len(panel.series)
    offsets = sorted({mark.x or 0 for marks in panel.series.values() for mark in marks})
    for number, (name, marks) in enumerate(panel.series.items()):
        style = look[name]
        hatch = "////" if style.dashed else None
        for mark in marks:
            at = offsets.index(mark.x or 0) + (number - (len(panel.series) - 1) / 2) * width
            axes.bar(
                at,
                mark.mean,
                width=width * 0.94,
                color=style.colour,
                alpha=PALE,
                hatch=hatch,
                edgecolor=style.colour,
            )
            _whisker(axes, mark, at, style, across=False)
    axes.set_ylim(0, top)
    label_ends(axes, _reference_lines(axes, panel), panel_inches)
    axes.tick_params(labelbottom=False)


def draw_strip(axes: Axes, places: dict[int, int], n_layers: int, *, first: bool) -> None:
    """Under each column, the layers that it trained, the first layer at the bottom.

    Args:
        places: layers that train, by offset.
    """
    plain_axes(axes, grid="")
    for at, (offset, layers) in enumerate(sorted(places.items())):
        axes.bar(at, n_layers, width=0.34, bottom=-0.5, color=INK, alpha=0.15)
        trained = shifted_layers(n_layers, layers, offset)
        bottoms = [layer - 0.45 for layer in trained]
        axes.bar([at] * len(trained), 0.9, width=0.34, bottom=bottoms, color=VERMILION)
    axes.set_ylim(-0.5, n_layers - 0.5)
    axes.set_yticks([0, n_layers - 1], ["0", str(n_layers - 1)], fontsize=SMALL)
    axes.tick_params(labelleft=first)
    axes.set_xticks(range(len(places)), [str(offset) for offset in sorted(places)])
    axes.set_xlabel("layers between each half and its end of the model")
    if first:
        axes.set_ylabel("layer")
    axes.spines["bottom"].set_visible(False)


def draw_chosen_layers(axes: Axes, chosen: dict[str, list[SelectionInfo]], look: dict[str, Look]) -> None:
    """A row of layers per method, coloured where it trains, paler where only some seeds chose it; ranks as numbers."""
    plain_axes(axes, grid="")
    n_layers = next(iter(chosen.values()))[0].n_layers
    for row, (name, selections) in enumerate(chosen.items()):
        shares = [sum(layer in each.layers for each in selections) / len(selections) for layer in range(n_layers)]
        for layer, share in enumerate(shares):
            axes.barh(row, 0.88, left=layer - 0.44, height=0.8, color=INK, alpha=0.13)
            if share:
                axes.barh(row, 0.88, left=layer - 0.44, height=0.8, color=look[name].colour, alpha=share)
        scores = selections[0].scores
        if scores is not None and len(selections) == 1:
            order = sorted(range(n_layers), key=lambda layer: (-scores[layer], layer))
            for rank, layer in enumerate(order, start=1):
                colour = "white" if shares[layer] else INK
                axes.text(layer, row, str(rank), ha="center", va="center", fontsize=SMALL - 1, color=colour)
    axes.set_yticks(range(len(chosen)), [literal(name) for name in chosen])
    axes.set_ylim(len(chosen) - 0.4, -0.6)
    axes.set_xlim(-0.7, n_layers - 0.3)
    axes.set_xticks(range(0, n_layers, 1 if n_layers <= 20 else 4))
    axes.set_xlabel("decoder layer")
    axes.spines["bottom"].set_visible(False)


def score_top(panels: Iterable[Panel]) -> float:
    """Where the axis of the scores ends, with some air above the highest."""
    found = [mark for panel in panels for mark in _marks(panel)]
    return 1.06 * max((max(mark.mean, mark.high or 0.0) for mark in found), default=1.0) or 1.0


def own_span(panel: Panel) -> tuple[float, float]:
    """From the lowest to the highest of a panel, with some air: for a loss, whose zero no model comes near."""
    found = _marks(panel)
    low = min(mark.mean if mark.low is None else mark.low for mark in found)
    high = max(mark.mean if mark.high is None else mark.high for mark in found)
    air = 0.08 * (high - low) or 0.1
    return low - air, high + air


def _marks(panel: Panel) -> list[Mark]:
    return [*(mark for _, mark in _references(panel)), *(mark for marks in panel.series.values() for mark in marks)]


def _number(axes: Axes, row: int, text: str) -> None:
    """At the right edge of a row."""
    place = axes.get_yaxis_transform()
    axes.text(0.995, row, text, transform=place, ha="right", va="center", color=INK, fontsize=SMALL)


def _whisker(axes: Axes, mark: Mark, at: float, style: Look, *, across: bool) -> None:
    """The mean as a point, on the line from low to high."""
    if mark.low is not None and mark.high is not None:
        span, place = [mark.low, mark.high], [at, at]
        axes.plot(
            span if across else place,
            place if across else span,
            color=style.colour,
            linewidth=2.0,
            solid_capstyle="butt",
        )
    point = (mark.mean, at) if across else (at, mark.mean)
    axes.plot(*point, color=style.colour, marker=style.marker, markersize=4.5)


def _references(panel: Panel) -> list[tuple[str, Mark]]:
    return ([("base", panel.base)] if panel.base else []) + list(panel.references.items())


def _reference_lines(axes: Axes, panel: Panel) -> list[tuple[float, str, str]]:
    """Dotted lines for the base and for everything trained; what to write at their ends."""
    for _, mark in _references(panel):
        axes.axhline(mark.mean, color=INK, linewidth=1.2, linestyle=":")
    return [(mark.mean, text, INK) for text, mark in _references(panel)]
