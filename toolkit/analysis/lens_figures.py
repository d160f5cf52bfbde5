"""The figures of a lens: which language appears after which layer, and how alike two languages are held there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.analysis.lens_record import LensRecord
from toolkit.analysis.style import (
    BLUE,
    BROWN,
    GREEN,
    INK,
    OCHRE,
    PURPLE,
    SLATE,
    VERMILION,
    VIOLET,
    canvas,
    footer,
    label_ends,
    plain_axes,
    save,
    title,
)
from toolkit.languages import get_language, parse_direction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (VERMILION, BLUE, GREEN, PURPLE, OCHRE, VIOLET, SLATE, BROWN)
WIDTH, HEIGHT = 4.2, 2.1  # inches of a panel
NAMES = {"base": "the base", "adapted": "with the delta"}
COLUMNS = 3


def draw_lens(record: LensRecord, folder: Path) -> list[Path]:
    """Both figures as PNG and SVG; the PNG files."""
    return [
        save(draw_languages(record), folder, "languages")[0],
        save(draw_similarity(record), folder, "similarity")[0],
    ]


def draw_languages(record: LensRecord) -> Figure:
    """A line per language: how probable its words are after each layer, by direction and model."""
    models, directions = record.models, record.directions
    figure = canvas(len(models) * WIDTH + 0.3, len(directions) * (HEIGHT + 0.5) + 0.8)
    grid = figure.subplots(len(directions), len(models), squeeze=False, sharex=True, sharey=True)
    found = [value for curve in record.speaks for line in curve.probability.values() for value in line]
    top = max(*found, *(record.coverage[parse_direction(direction).target] for direction in directions))
    for row, direction in enumerate(directions):
        for column, model in enumerate(models):
            curve = record.curve(model, direction)
            if curve is None:
                continue
            axes = grid[row, column]
            plain_axes(axes)
            title(axes, _asked(direction), NAMES[model])
            wanted = parse_direction(direction).target
            ends = []
            for language, colour in _colours(record.languages).items():
                line = curve.probability[language]
                axes.plot(_places(line), line, color=colour, linewidth=2.6 if language == wanted else 1.4)
                if language == wanted:
                    axes.axhline(record.coverage[language], color=colour, linewidth=1, linestyle=":")
                ends.append((line[-1], get_language(language).names.english, colour))
            axes.set_ylim(0, min(1.0, 1.1 * top))
            _layer_axis(axes, record, shade=model == "adapted")
            label_ends(axes, ends, HEIGHT)
            if row == len(directions) - 1:
                axes.set_xlabel("after decoder layer (emb: embeddings)")
            if column == 0:
                axes.set_ylabel("probability")
    covered = ", ".join(f"{get_language(code).names.english} {share:.0%}" for code, share in record.coverage.items())
    footer(
        figure,
        [
            *_source(record),
            "Probability: sum over the tokens with which words of one language alone begin, read by the logit lens at "
            "the end of the prompt.",
            f"Share of the sentences that begin so: {covered}. Thick: the language asked for; dotted: what "
            "perfect answers would show of it.",
        ],
    )
    return figure


def draw_similarity(record: LensRecord) -> Figure:
    """A panel per pair of languages: cosine of translations, and of unrelated sentences below it."""
    pairs = list(dict.fromkeys(each.languages for each in record.alike))
    columns = min(COLUMNS, len(pairs))
    lines = -(-len(pairs) // columns)
    figure = canvas(columns * WIDTH + 0.3, lines * (HEIGHT + 0.7) + 0.6)
    grid = list(figure.subplots(lines, columns, squeeze=False, sharey=True).flat)
    for unused in grid[len(pairs) :]:
        unused.set_visible(False)
    for index, pair in enumerate(pairs):
        axes = grid[index]
        plain_axes(axes)
        title(axes, " and ".join(get_language(code).names.english for code in pair))
        ends = []
        for curve in record.alike:
            if curve.languages == pair:
                colour = GREEN if curve.model == "adapted" else BLUE
                axes.plot(_places(curve.translations), curve.translations, color=colour, linewidth=2)
                axes.plot(_places(curve.unrelated), curve.unrelated, color=colour, linewidth=1.2, linestyle=":")
                ends.append((curve.translations[-1], NAMES[curve.model].removeprefix("the "), colour))
        values = [value for each in record.alike for value in (*each.translations, *each.unrelated)]
        axes.set_ylim(min(0.0, 1.1 * min(values)), 1.0)
        _layer_axis(axes, record, shade="adapted" in record.models)
        label_ends(axes, ends, HEIGHT)
        axes.set_xlabel("after decoder layer (emb: embeddings)")
        if index % columns == 0:
            axes.set_ylabel("cosine similarity")
    note = (
        "Mean-pooled states of a sentence; lines: sentences that translate each other; dotted: sentences that do not."
    )
    footer(figure, [*_source(record), note])
    return figure


def _source(record: LensRecord) -> list[str]:
    shaded = " Shaded: layers that trained." if record.trained_layers else ""
    return [f"Base: {record.base.id}. {record.rows:,} sentences of {record.text} in each language.{shaded}"]


def _asked(direction: str) -> str:
    parsed = parse_direction(direction)
    return " → ".join(get_language(code).names.english for code in (parsed.source, parsed.target))


def _colours(languages: Sequence[str]) -> dict[str, str]:
    return {language: COLOURS[place % len(COLOURS)] for place, language in enumerate(languages)}


def _layer_axis(axes: Axes, record: LensRecord, *, shade: bool) -> None:
    n_layers = record.base.n_layers
    step = 1 if n_layers <= 8 else 2 if n_layers <= 20 else 4
    ticks = range(0 if step == 1 else step, n_layers, step)  # so that 0 does not touch the embeddings
    axes.set_xlim(-1.4, n_layers - 0.6)
    axes.set_xticks([-1, *ticks], ["emb", *map(str, ticks)])
    for layer in record.trained_layers if shade else ():
        axes.axvspan(layer - 0.5, layer + 0.5, color=INK, alpha=0.13, linewidth=0)


def _places(line: Sequence[float]) -> range:
    """Where on the axis of layers a line lies: the embeddings come before layer 0."""
    return range(-1, len(line) - 1)
