"""The card's two pictures, drawn from records: scores before and after, and where the weights changed.

Backgrounds are transparent and every colour has at least 3:1 contrast on the Hub's white and on its dark page, so
one file serves both. The same records give the same bytes, so that publishing again changes nothing.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hub_cards.facts import ADAPTED, BASE, ScoreRow
from hub_cards.text import one_line
from toolkit.records import DeltaInfo, TensorChange

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCORES_FILE, LAYERS_FILE = "scores.png", "layers.png"
INK = "#76797f"  # 4.4:1 on white, 4.3:1 on the Hub's dark page
BEFORE, AFTER, OTHER = "#9a9ea6", "#1a7fd4", "#c4661f"
_WIDTH_INCHES, _DPI = 8.0, 160
_PARTS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_PART_NAMES = ("query", "key", "value", "output", "gate", "up", "down")
_WHOLE_MODEL = {"embed_tokens": "embeddings", "lm_head": "LM head"}


def draw_scores(rows: Sequence[ScoreRow]) -> bytes | None:
    """Bars of base, adapted and other models with 95% intervals, one group per row of one metric of translation.

    None where translation was not measured.
    """
    rows = shown_scores(rows)
    if not rows:
        return None
    metric = rows[0].metric
    models = list(dict.fromkeys(measured.model for row in rows for measured in row.measurements))
    thickness = 0.8 / len(models)
    figure, axes = _canvas(0.75 + len(rows) * (0.22 + 0.26 * len(models)))
    for index, model in enumerate(models):
        places = [(y, measured) for y, row in enumerate(rows) if (measured := row.of(model))]
        offset = (index - (len(models) - 1) / 2) * thickness
        at = [y + offset for y, _ in places]
        values = [measured.value for _, measured in places]
        colour = {BASE: BEFORE, ADAPTED: AFTER}.get(model, OTHER)
        known = {BASE: "base", ADAPTED: "with this delta", "full": "full training"}
        label = known.get(model) or one_line(model, 40)
        axes.barh(at, values, height=thickness * 0.88, color=colour, label=_plain(label))
        for y, (_, measured) in zip(at, places, strict=True):
            _label_bar(axes, y, measured.value, measured.low, measured.high, rows[0].decimals)
    axes.set_yticks(range(len(rows)), [_plain(_row_label(row, rows)) for row in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, _axis_end(rows))
    axes.set_xlabel(_plain(f"{metric}, higher is better; lines are 95% intervals"))
    figure.legend(loc="outside upper right", ncols=len(models), frameon=False, labelcolor=INK, fontsize=9)
    return _png(figure)


def shown_scores(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    """The rows that the figure shows: those of the headline metric of translation."""
    translation = [row for row in rows if row.kind == "translation"]
    return [row for row in translation if row.metric == translation[0].metric]


def draw_layers(delta: DeltaInfo) -> bytes | None:
    """Heat map of the size of the change, decoder layers by parts of a layer; None where nothing changed."""
    changed = [tensor for tensor in delta.tensors if tensor.changed]
    if not changed:
        return None
    grid = _layer_grid(delta)
    outside = [(name, tensor) for tensor in changed if (name := _whole_model_name(tensor))]
    figure, axes = _canvas(2.6)
    largest = max((tensor.rms for tensor in changed), default=1.0) or 1.0
    colours = _colours()
    shown = [[rms / largest if rms else math.nan for rms in line] for line in grid]
    axes.imshow(shown, aspect="auto", cmap=colours, vmin=0, vmax=1, interpolation="nearest")
    axes.set_yticks(range(len(_PART_NAMES)), _PART_NAMES)
    n_layers = delta.base.n_layers
    step = 1 if n_layers <= 20 else 2 if n_layers <= 40 else 4
    axes.set_xticks(range(0, n_layers, step))
    axes.set_xlabel("decoder layer (empty: unchanged)")
    for edge in range(1, n_layers):
        axes.axvline(edge - 0.5, color=INK, linewidth=0.25)
    bar = figure.colorbar(_scale(largest, colours), ax=axes, pad=0.015, fraction=0.03)
    bar.set_label("RMS change of a weight", color=INK, fontsize=9)
    bar.ax.tick_params(colors=INK, labelsize=8)
    bar.formatter.set_powerlimits((-2, 2))  # type: ignore[attr-defined]
    bar.ax.yaxis.get_offset_text().set_color(INK)
    bar.outline.set_visible(False)
    note = ", ".join(f"{name} {tensor.rms:.1e}" for name, tensor in outside)
    axes.set_title(_plain(f"outside of the layers: {note}") if note else "", color=INK, fontsize=9, loc="left")
    return _png(figure)


def _canvas(height_inches: float) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_INCHES, height_inches), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)  # no pyplot: a library does not touch global state
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.xaxis.label.set(color=INK, fontsize=9)
    return figure, axes


def _label_bar(axes: Axes, y: float, value: float, low: float | None, high: float | None, decimals: int) -> None:
    if low is not None and high is not None:
        axes.plot([low, high], [y, y], color=INK, linewidth=1.4, solid_capstyle="butt")
    axes.annotate(
        f"{value:.{decimals}f}",
        (max(value, high or value), y),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        color=INK,
        fontsize=9,
    )


def _row_label(row: ScoreRow, rows: Sequence[ScoreRow]) -> str:
    label = f"{one_line(row.source, 24)} → {one_line(row.target, 24)}"
    return label if len({other.dataset for other in rows}) == 1 else f"{label}\n{one_line(row.dataset, 32)}"


def _axis_end(rows: Sequence[ScoreRow]) -> float:
    largest = max(max(m.value, m.high or m.value) for row in rows for m in row.measurements)
    return max(largest * 1.12, 1.0 if rows[0].decimals == 3 else 20.0)


def _layer_grid(delta: DeltaInfo) -> list[list[float]]:
    """RMS change by part of a layer and layer; 0 where nothing changed. (parts, layers)"""
    grid = [[0.0] * delta.base.n_layers for _ in _PARTS]
    for tensor in delta.tensors:
        part = next((index for index, name in enumerate(_PARTS) if name in tensor.name), None)
        if part is not None and tensor.layer is not None and tensor.layer < delta.base.n_layers and tensor.changed:
            grid[part][tensor.layer] = tensor.rms
    return grid


def _whole_model_name(tensor: TensorChange) -> str | None:
    return next((name for part, name in _WHOLE_MODEL.items() if part in tensor.name and tensor.layer is None), None)


def _colours() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("change", ["#9db8d6", AFTER, "#123f8c"])


def _scale(largest: float, colours: Any) -> Any:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(0, largest), colours)


def _plain(text: str) -> str:
    """Text that the drawing library takes literally: a dollar sign would start a formula."""
    return re.sub(r"([$\\])", r"\\\1", text)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", transparent=True, metadata={"Software": None})
    return buffer.getvalue()
