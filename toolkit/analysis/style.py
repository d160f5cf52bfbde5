"""How the room's figures look: one file for light and dark pages, as PNG and SVG, the same bytes from the same numbers.

Backgrounds are transparent, and every colour has at least 3.4:1 contrast on white and on near-black (#0d1117). The
colours stay apart for colour-blind eyes (after Okabe and Ito), and each series has a marker of its own as well.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.analysis.points import LORA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#76797f"
GREEN, BLUE, VERMILION, PURPLE = "#00946b", "#1f83c9", "#d1600a", "#b7619a"
OCHRE, VIOLET, SLATE, BROWN = "#9a7400", "#7a6fd0", "#5b7f95", "#8a6d3b"
SMALL, TEXT = 7.5, 9.0  # points
SMALL_LETTERS = 16  # per inch, of small text
DPI = 200
_SALT = "cogsym"  # of the names inside an SVG, which would be random otherwise


@dataclass(frozen=True)
class Look:
    """How one series is drawn."""

    colour: str
    marker: str
    dashed: bool = False


_LOOKS = {
    "cogsym": Look(GREEN, "o"),
    "front": Look(BLUE, "s"),
    "rear": Look(VERMILION, "^"),
    "fisher": Look(PURPLE, "D"),
    "alpha": Look(OCHRE, "v"),
    "neurons-count": Look(VIOLET, "P"),
    "middle": Look(SLATE, "X"),
    "random": Look(BROWN, "*"),
    "together": Look(GREEN, "o"),
    "front_then_rear": Look(BLUE, "s"),
    "rear_then_front": Look(VERMILION, "^"),
    "shifted": Look(GREEN, "o"),
    "full": Look(INK, "h"),
}
_OTHERS = (
    Look(PURPLE, "D"), Look(OCHRE, "v"), Look(VIOLET, "P"), Look(SLATE, "X"), Look(BROWN, "*"), Look(BLUE, "s"),
    Look(PURPLE, "<"), Look(OCHRE, ">"), Look(VIOLET, "p"), Look(SLATE, "d"), Look(BROWN, "8"), Look(BLUE, "H"),
)  # fmt: skip


def looks(series: Iterable[str]) -> dict[str, Look]:
    """A look for each series: the same one in every figure for what has a name; LoRA is dashed."""
    found: dict[str, Look] = {}
    series = list(series)
    own = {_LOOKS[name].marker for name in map(_method, series) if name in _LOOKS}
    spares = [look for look in _OTHERS if look.marker not in own]
    spare = 0
    for name in series:
        plain = name.removesuffix(LORA)
        look = found.get(plain) or _LOOKS.get(_method(plain))
        others_found = [other for key, other in found.items() if key.removesuffix(LORA) != plain]
        taken = look is not None and look.marker in {other.marker for other in others_found}
        if look is None or taken:
            look = spares[spare % len(spares)]
            spare += 1
        found[name] = Look(look.colour, look.marker, dashed=plain != name)
    return found


def _method(series: str) -> str:
    return series.removesuffix(LORA).partition(":")[0]


def canvas(width_inches: float, height_inches: float) -> Figure:
    """An empty figure that lays out its own parts; pyplot and its global state stay out of it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plain_axes(axes: Axes, *, grid: str = "y") -> None:
    """Only what is needed to read a number off."""
    axes.patch.set_alpha(0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    axes.tick_params(colors=INK, labelsize=TEXT, length=0)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=INK, fontsize=TEXT)
    if grid:
        axes.grid(axis=grid, color=INK, alpha=0.22, linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def title(axes: Axes, text: str, note: str = "") -> None:
    """A heading over one panel, with a smaller note behind it."""
    axes.set_title(literal(text), loc="left", color=INK, fontsize=TEXT + 1, fontweight="bold")
    if note:
        axes.set_title(literal(note), loc="right", color=INK, fontsize=SMALL)


def footer(figure: Figure, sentences: Iterable[str]) -> None:
    """Below everything: what was measured and how, so that the figure can stand alone; each begins a line."""
    width = int(SMALL_LETTERS * figure.get_figwidth())
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, width)]
    figure.supxlabel(literal("\n".join(lines)), color=INK, fontsize=SMALL, x=0.01, ha="left")


def spread_panels(figure: Figure) -> None:
    """Keep panels far enough apart that a number at the edge of one is not taken for the next one's."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(wspace=0.08)  # type: ignore[call-arg]


def label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]], panel_inches: float) -> None:
    """Write each text at the right edge of the panel at its height, moved apart where two would overlap.

    Args:
        ends: height in data, text, colour.
        panel_inches: height of the panel, roughly.
    """
    low, high = axes.get_ylim()
    apart = 1.15 * TEXT / (72 * panel_inches) * (high - low)
    places: list[float] = []
    ordered = sorted(ends, key=lambda end: end[0])
    for height, _, _ in ordered:
        places.append(max(height, places[-1] + apart) if places else height)
    for index in range(len(places) - 1, -1, -1):  # what was pushed over the top comes down again
        ceiling = high if index == len(places) - 1 else places[index + 1] - apart
        places[index] = min(places[index], ceiling)
    for place, (_, text, colour) in zip(places, ordered, strict=True):
        axes.annotate(
            literal(text),
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=TEXT,
            annotation_clip=False,
        )


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write `name`.png and `name`.svg; text in the SVG stays text."""
    from matplotlib import rc_context

    folder.mkdir(parents=True, exist_ok=True)
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": _SALT}):
        figure.savefig(png, dpi=DPI, transparent=True, metadata={"Software": None})
        figure.savefig(svg, transparent=True, metadata={"Date": None, "Creator": None})
    return png, svg


def literal(text: str) -> str:
    """Text that the drawing library takes as it stands: a dollar sign would start a formula."""
    return re.sub(r"([$\\])", r"\\\1", text)


def slug(text: str) -> str:
    """The part of a file name that stands for this text: `chrF++` becomes `chrf`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "score"
