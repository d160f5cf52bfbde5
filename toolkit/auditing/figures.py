"""The plots of a report: lengths, ratios, languages, tokens, unusual characters; legible on light and on dark."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from toolkit.analysis.style import BLUE, GREEN, INK, OCHRE, PURPLE, SMALL, TEXT, VERMILION, canvas, literal, plain_axes
from toolkit.auditing.characters import describe
from toolkit.auditing.record import Audit, Ratio, Side

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (GREEN, BLUE, VERMILION, PURPLE, OCHRE)
_WIDTH, _ROW = 5.6, 0.28  # inches
_MOST_CHARACTERS = 10
_REST = "#8c8f94"


def draw(audit: Audit) -> dict[str, tuple[str, Figure]]:
    """Figures by name, each with the sentence that says what it shows to somebody who cannot see it."""
    drawn: dict[str, tuple[str, Figure]] = {}
    if audit.sides:
        said = "; ".join(f"{side.name}: median {side.characters} characters" for side in audit.sides)
        drawn["lengths"] = (f"How long the texts are. {said}.", _lengths(audit.sides))
    for ratio in audit.ratios:
        one, other = ratio.languages
        said = f"How long {one} is beside {other}; the median is {ratio.median:g} times."
        drawn[f"ratio-{one}-{other}"] = (said, _ratio(ratio))
    if audit.identifier and any(side.languages for side in audit.sides):
        said = "; ".join(
            f"{side.name}: " + ", ".join(f"{label} {count:,}" for label, count in list(side.languages.items())[:3])
            for side in audit.sides
        )
        unknown = [side.name for side in audit.sides if side.identified and side.identified.share is None]
        guess = f" It does not know {' or '.join(unknown)}: there it only guesses." if unknown else ""
        drawn["languages"] = (f"What {audit.identifier} takes the rows for. {said}.{guess}", _languages(audit.sides))
    if any(side.tokens and side.tokens.per_word for side in audit.sides):
        said = "; ".join(
            f"{side.name} {side.tokens.per_word:.1f}" for side in audit.sides if side.tokens and side.tokens.per_word
        )
        drawn["tokens"] = (f"Tokens per word under {audit.base}: {said}.", _tokens(audit.sides))
    if audit.unusual:
        said = ", ".join(f"{describe(character)} {count:,} times" for character, count in _most(audit.unusual))
        drawn["characters"] = (f"The most common unusual characters: {said}.", _characters(audit.unusual))
    return drawn


def as_svg(figure: Figure, salt: str) -> str:
    """The figure as an `<svg>` element that can stand inside a page; its names do not clash with another's."""
    from matplotlib import rc_context

    written = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    return (
        svg[svg.index("<svg") :]
        .replace('id="', f'id="{salt}-')
        .replace("url(#", f"url(#{salt}-")
        .replace('xlink:href="#', f'xlink:href="#{salt}-')
    )


def _lengths(sides: tuple[Side, ...]) -> Figure:
    figure = canvas(_WIDTH, 0.5 + 1.25 * len(sides))
    grid = figure.subplots(len(sides), 1, squeeze=False, sharex=True)
    for index, side in enumerate(sides):
        axes = grid[index][0]
        edges = side.lengths.edges
        axes.bar(edges[:-1], side.lengths.counts, width=edges[1] - edges[0], align="edge", color=_colour(index))
        axes.axvline(side.characters, color=INK, linewidth=1.2, linestyle="--")
        _frame(axes, f"{side.name}: half of the texts have up to {side.characters:,} characters")
        axes.set_ylabel("texts")
    grid[-1][0].set_xlabel("characters; the last bar holds all that are longer")
    return figure


def _ratio(ratio: Ratio) -> Figure:
    figure = canvas(_WIDTH, 2.1)
    axes = figure.subplots()
    edges = ratio.bars.edges
    limit = math.log2(ratio.factor)
    colours = [VERMILION if low >= limit or low + 0.5 <= -limit else GREEN for low in edges[:-1]]
    axes.bar(edges[:-1], ratio.bars.counts, width=0.46, align="edge", color=colours)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ticks = [-4, -3, -2, -1, 0, 1, 2, 3, 4]
    axes.set_xticks(ticks, [f"{2**tick:g}×" if tick >= 0 else f"1/{2**-tick}" for tick in ticks])
    one, other = ratio.languages
    _frame(axes, f"{one} has {ratio.median:.2f} times the characters of {other} in a usual row")
    axes.set_xlabel("beside the usual ratio; orange: too far off")
    axes.set_ylabel("rows (log scale)")
    return figure


def _languages(sides: tuple[Side, ...]) -> Figure:
    shown = [(side, list(side.languages.items())[:5]) for side in sides if side.languages]
    figure = canvas(_WIDTH, 0.45 + 0.75 * len(shown))
    axes = figure.subplots()
    for place, (side, labels) in enumerate(shown):
        total, left = (side.identified.rows if side.identified else sum(n for _, n in labels)), 0.0
        shares = [(label, count / max(1, total)) for label, count in labels]
        shares.append(("others", max(0.0, 1 - sum(share for _, share in shares))))
        for index, (label, share) in enumerate(shares):
            axes.barh(place, share, left=left, height=0.55, color=_REST if label == "others" else _colour(index))
            if share >= 0.07:
                axes.text(
                    left + share / 2, place, literal(f"{label}\n{share:.0%}"), ha="center", va="center", color="white",
                    fontsize=SMALL, fontweight="bold", linespacing=1.1,
                )  # fmt: skip
            left += share
    axes.set_yticks(range(len(shown)), [literal(side.name) for side, _ in shown])
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.invert_yaxis()
    plain_axes(axes, grid="x")
    return figure


def _tokens(sides: tuple[Side, ...]) -> Figure:
    counted = [(side.name, side.tokens.per_word) for side in sides if side.tokens and side.tokens.per_word]
    figure = canvas(_WIDTH, 0.55 + 0.4 * len(counted))
    axes = figure.subplots()
    for place, (_, value) in enumerate(counted):
        axes.barh(place, value, height=0.6, color=_colour(place))
        axes.text(value, place, f" {value:.1f}", va="center", color=INK, fontsize=TEXT, fontweight="bold")
    axes.set_yticks(range(len(counted)), [literal(name) for name, _ in counted])
    axes.set_xlim(0, 1.12 * max(value for _, value in counted))
    axes.invert_yaxis()
    plain_axes(axes, grid="x")
    axes.set_xlabel("tokens per word")
    return figure


def _characters(unusual: dict[str, int]) -> Figure:
    most = _most(unusual)
    figure = canvas(_WIDTH, 0.5 + _ROW * len(most))
    axes = figure.subplots()
    top = max(count for _, count in most)
    for place, (_, count) in enumerate(most):
        axes.barh(place, count, height=0.62, color=BLUE)
        axes.text(count, place, f" {count:,}", va="center", color=INK, fontsize=SMALL)
    axes.set_yticks(range(len(most)), [literal(describe(character)) for character, _ in most], fontsize=SMALL)
    axes.set_xlim(0, 1.15 * top)
    axes.invert_yaxis()
    plain_axes(axes, grid="x")
    axes.tick_params(axis="y", labelsize=SMALL)
    return figure


def _most(unusual: dict[str, int]) -> list[tuple[str, int]]:
    return list(unusual.items())[:_MOST_CHARACTERS]


def _frame(axes: Axes, heading: str) -> None:
    plain_axes(axes)
    axes.set_title(literal(heading), loc="left", color=INK, fontsize=TEXT)


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]
