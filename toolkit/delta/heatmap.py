"""A picture of a delta, layers x matrices: how far each moved, and how many bits a weight costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toolkit.errors import OutputError
from toolkit.records import DeltaInfo, TensorChange


def draw_heatmap(info: DeltaInfo, out: Path) -> Path:
    """Write a PNG: colour is the RMS of the change on a logarithmic scale, the number is bits per weight.

    The ground is opaque white, so that it reads the same in light and dark cards; what did not change is grey.

    Raises:
        OutputError: if `out` cannot be written.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    cells = _cells(info)
    layers = ["other" if layer is None else str(layer) for layer in _layers(info)]
    kinds = list(dict.fromkeys(kind for kind, _ in cells))
    rms = np.full((len(kinds), len(layers)), np.nan)
    for (kind, layer), tensors in cells.items():
        weights = sum(tensor.weights for tensor in tensors)
        value = (sum(tensor.rms**2 * tensor.weights for tensor in tensors) / max(weights, 1)) ** 0.5
        rms[kinds.index(kind), layers.index(layer)] = value or np.nan
    figure = Figure(figsize=(2.6 + 0.55 * len(layers), 1.4 + 0.36 * len(kinds)), dpi=150, facecolor="white")
    axes = figure.add_subplot()
    axes.set_facecolor("#dddddd")
    found = rms[np.isfinite(rms)]
    low, high = (float(found.min()), float(found.max())) if found.size else (1.0, 1.0)
    image = axes.imshow(rms, cmap="viridis", norm=LogNorm(low, max(high, low * 1.01)), aspect="auto")
    for (kind, layer), tensors in cells.items():
        weights = max(1, sum(tensor.weights for tensor in tensors))
        bits = 8 * sum(tensor.size_bytes for tensor in tensors) / weights
        row, column = kinds.index(kind), layers.index(layer)
        light = not rms[row, column] < low * (high / low) ** 0.6  # bright there, as is grey
        axes.text(column, row, f"{bits:.1f}", ha="center", va="center", fontsize=7, color="black" if light else "white")
    axes.set_xticks(range(len(layers)), layers, fontsize=8)
    axes.set_yticks(range(len(kinds)), kinds, fontsize=8)
    axes.set_xlabel("decoder layer", fontsize=8)
    axes.set_title("What changed: RMS (colour), bits per weight (number)", fontsize=9)
    figure.colorbar(image, ax=axes).ax.tick_params(labelsize=7)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, format="png", bbox_inches="tight", facecolor="white")
    except OSError as cause:
        raise OutputError(f"{out} cannot be written: {cause.strerror}", "choose another place") from cause
    return out


def _layers(info: DeltaInfo) -> list[int | None]:
    found = {tensor.layer for tensor in info.tensors}
    numbers = sorted(layer for layer in found if layer is not None)
    return [*numbers, None] if None in found else [*numbers]


def _cells(info: DeltaInfo) -> dict[tuple[str, str], list[TensorChange]]:
    """The tensors of each (kind of matrix, layer): q_proj, up_proj, embed_tokens, ..."""
    cells: dict[tuple[str, str], list[TensorChange]] = {}
    for tensor in info.tensors:
        parts = tensor.name.removesuffix(".weight").split(".")
        kind = parts[-1] if parts[-1] != "bias" else ".".join(parts[-2:])
        layer = "other" if tensor.layer is None else str(tensor.layer)
        cells.setdefault((kind, layer), []).append(tensor)
    return cells
