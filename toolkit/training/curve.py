"""The loss curve of a run, drawn from its metrics; readable on a light and on a dark page."""

from __future__ import annotations

from pathlib import Path

from toolkit.training.metrics import read_metrics

INK = "#7a7f87"  # a grey that contrasts with white and with near-black


def draw_loss_curve(metrics: Path, picture: Path) -> Path:
    """Draw loss against step, from the JSON lines in `metrics`, as a transparent PNG."""
    from matplotlib.figure import Figure

    lines = read_metrics(metrics)
    points = {line["step"]: line["loss"] for line in lines if "loss" in line}
    held_out = {line["step"]: line["held_out_loss"] for line in lines if "held_out_loss" in line}
    figure = Figure(figsize=(6, 3), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(sorted(points), [points[step] for step in sorted(points)], color="#2f81c6", linewidth=2, label="training")
    if held_out:
        steps = sorted(held_out)
        axes.plot(steps, [held_out[step] for step in steps], color="#c6722f", linewidth=2, marker="o", label="held out")
        axes.legend(labelcolor=INK, frameon=False)
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
