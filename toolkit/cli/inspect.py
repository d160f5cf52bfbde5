"""`cogsym inspect`: what a delta changes and what each tensor costs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import out as console
from toolkit.cli.console import print_numbers
from toolkit.cli.delta_input import find_delta

if TYPE_CHECKING:
    from toolkit.records import TensorChange


def inspect(
    delta: Annotated[str, typer.Argument(help="A delta file, the folder that holds it, or a Hub id.")],
    revision: Annotated[str | None, typer.Option(help="Commit of a delta on the Hub.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Draw layers x matrices into this PNG.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show, per tensor and per layer, bytes, bits per weight, share of weights changed, and size of the change.

    Example: cogsym inspect runs/jav --figure change.png
    """
    from toolkit.delta import inspect

    info = inspect(find_delta(delta, revision))
    if figure is not None:
        from toolkit.delta.heatmap import draw_heatmap

        draw_heatmap(info, figure)
    if as_json:
        console.print_json(info.model_dump_json())
        return
    table = _table("tensor")
    for tensor in info.tensors:
        # Without what nearly all names share, they fit a terminal; --json has them whole.
        _row(table, tensor.name.removeprefix("model.").removesuffix(".weight"), [tensor], tensor.coding)
    print_numbers(table)
    layers = _table("layer")
    for layer in sorted({tensor.layer for tensor in info.tensors}, key=lambda layer: (layer is None, layer or 0)):
        name = "outside of layers" if layer is None else str(layer)
        _row(layers, name, [tensor for tensor in info.tensors if tensor.layer == layer])
    _row(layers, "all", info.tensors)
    print_numbers(layers)
    console.print(
        escape(
            f"{info.file}: {decimal(info.size_bytes)}, format {info.format_version}, {info.bits_per_weight:.2f} bits "
            f"per weight\nmade for {info.base.id}" + (f" at {info.base.revision}" if info.base.revision else "")
        ),
        soft_wrap=True,
    )


def _table(first: str) -> Table:
    table = Table(box=None, padding=(0, 1))
    table.add_column(first, no_wrap=True, min_width=32 if first == "tensor" else None)
    for title in ("weights", "bytes", "bits/w", "changed", "RMS"):
        table.add_column(title, justify="right", no_wrap=True)
    if first == "tensor":
        table.add_column("coding", no_wrap=True)
    return table


def _row(table: Table, name: str, tensors: Iterable[TensorChange], *coding: str) -> None:
    tensors = list(tensors)
    weights = max(1, sum(tensor.weights for tensor in tensors))
    size_bytes = sum(tensor.size_bytes for tensor in tensors)
    changed = sum(tensor.changed for tensor in tensors)
    rms = math.sqrt(sum(tensor.rms**2 * tensor.weights for tensor in tensors) / weights)
    table.add_row(
        escape(name), f"{weights:,}", f"{size_bytes:,}", f"{8 * size_bytes / weights:.2f}",
        f"{100 * changed / weights:.1f}%", f"{rms:.2e}", *coding,
    )  # fmt: skip
