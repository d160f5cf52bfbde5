"""The loss curve of a run, drawn from its metrics; readable on a light and on a dark page."""

from __future__ import annotations

import json
from pathlib import Path

INK = "#7a7f87"  # a grey that contrasts with white and with near-black


def draw_loss_curve(metrics: Path, picture: Path) -> Path:
    """Draw loss against step, from the JSON lines in `metrics`, as a transparent PNG."""
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines() if line.strip()]
    points = {line["step"]: line["loss"] for line in lines}  # a resumed run logs some steps again
    figure = Figure(figsize=(6, 3), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(sorted(points), [points[step] for step in sorted(points)], color="#2f81c6", linewidth=2)
    axes.set_xlabel("step", color=INK)
    axes.set_ylabel("loss, nats per token", color=INK)
    axes.set_ylim(bottom=0)
    axes.tick_params(colors=INK)
    axes.grid(color=INK, alpha=0.25)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, transparent=True)
    return picture
