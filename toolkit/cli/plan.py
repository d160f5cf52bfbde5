"""`cogsym plan`: what a recipe needs in memory, disk and time, against what this machine has."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from toolkit.cli.console import err, out, quiet_libraries
from toolkit.cli.train import read_chosen_recipe

if TYPE_CHECKING:
    from toolkit.training import Requirements


def plan(
    recipe: Annotated[str, typer.Option("--recipe", help="YAML file, or the name of a recipe of the toolkit.")],
    select: Annotated[str | None, typer.Option(help="Selection instead of the recipe's, e.g. front:25%.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Base instead of the recipe's: pocket, a folder, or a Hub id.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Run folder that would be made; its disk counts.")] = None,
    card: Annotated[
        float | None, typer.Option("--card", min=1, help="Plan for a GPU with this many GiB instead of this machine.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Exit with 0 even where it does not fit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a recipe needs, and whether it fits; reads the base's config alone.

    Example: cogsym plan --recipe llama-2-7b-jav --card 24
    """
    quiet_libraries()
    from toolkit.errors import SelectionError
    from toolkit.pretrained import resolve_config
    from toolkit.selection import looks_at, read_layout, resolve_recipe
    from toolkit.training import refuse_what_cannot_fit, requirements

    chosen = read_chosen_recipe(recipe, {"select": select, "base": base})
    config = resolve_config(chosen.base, chosen.base_revision)
    layout = read_layout(config)
    if looks_at(chosen.select, layout) is not None:
        raise SelectionError(
            f"{chosen.select} is found from the base and the data, and a plan reads the base's config alone",
            "plan with a selection by position of the same size, e.g. --select cogsym:25% (of neurons: final:1); "
            "`cogsym train` checks the real one before it starts",
        )
    selection = resolve_recipe(chosen, layout)
    needs = requirements(
        chosen, config, layout, selection, out=to, card_bytes=None if card is None else round(card * 2**30)
    )
    if as_json:
        facts = asdict(needs) | {"fits": needs.fits, "fits_disk": needs.fits_disk, "seconds": needs.seconds}
        out.print_json(json.dumps(facts))
    else:
        out.print(_table(needs))
        print_requirements(needs)
    if not force:
        refuse_what_cannot_fit(needs)


def print_requirements(needs: Requirements) -> None:
    """Print on two lines what is needed and what there is."""
    free = "unknown" if needs.free_bytes is None else f"{needs.free_bytes / 1e9:,.1f} GB"
    place = "GPU memory" if needs.on_gpu else "memory"
    err.print(
        f"needs about {needs.needed_bytes / 1e9:,.1f} GB of {place} ({free} free) and up to "
        f"{needs.disk_bytes / 1e9:,.1f} GB of disk ({needs.free_disk_bytes / 1e9:,.1f} GB free), "
        f"if examples are as long as {needs.tokens} tokens",
        soft_wrap=True,
    )
    if needs.seconds_per_step is not None:
        whole = "" if needs.seconds is None else f", {_duration(needs.seconds)} for {needs.steps:,} steps"
        err.print(
            f"takes roughly {_duration(needs.seconds_per_step)} per step{whole}, for examples of "
            f"{needs.mean_tokens:.0f} tokens",
            soft_wrap=True,
        )


def _table(needs: Requirements) -> Table:
    table = Table(box=None)
    table.add_column("part")
    table.add_column("GB", justify="right")
    for part, size in asdict(needs.memory).items():
        if part != "peak":
            table.add_row(part, f"{size / 1e9:,.2f}")
    table.add_row("at one time, at most", f"{needs.memory.peak / 1e9:,.2f}")
    table.add_row("with what the device itself takes", f"{needs.needed_bytes / 1e9:,.2f}", style="bold")
    return table


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
