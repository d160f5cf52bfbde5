"""`cogsym plan`: what a recipe needs in memory, disk and time, against what this machine has."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from toolkit.cli.chosen_recipe import (
    BaseOption,
    FrozenOption,
    MethodOption,
    OrderOption,
    SelectOption,
    read_chosen_recipe,
)
from toolkit.cli.console import err, let_one_speak, out, quiet_libraries
from toolkit.errors import CogsymError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.prompts import Example
    from toolkit.recipe import Recipe
    from toolkit.training import Requirements
    from toolkit.training.pace import Span


def plan(
    recipe: Annotated[str, typer.Option("--recipe", help="YAML file, or the name of a recipe of the toolkit.")],
    select: SelectOption = None,
    base: BaseOption = None,
    method: MethodOption = None,
    order: OrderOption = None,
    frozen: FrozenOption = None,
    to: Annotated[Path | None, typer.Option("--out", help="Run folder that would be made; its disk counts.")] = None,
    card: Annotated[
        float | None, typer.Option("--card", min=1, help="Plan for a GPU with this many GiB instead of this machine.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Time a layer here, for some seconds, to estimate the time.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Exit with 0 even where it does not fit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a recipe needs, and whether it fits; reads the base's config alone, and the data where it is here.

    Of a selection that is found by ranking, how much trains is known and which layers is not: the most that any layers
    need is shown, and what ranking takes.

    Example: cogsym plan --recipe llama-2-7b-jav --card 24
    """
    quiet_libraries()
    let_one_speak()
    from toolkit.training import leads, refuse_what_cannot_fit, requirements_of

    instead = {"select": select, "base": base, "method": method, "order": order, "frozen": frozen}
    chosen = read_chosen_recipe(recipe, instead)
    needs = requirements_of(
        chosen,
        out=to,
        examples=_examples(chosen),
        card_bytes=None if card is None else round(card * 2**30),
        measure=measure and leads(),
    )
    if as_json:
        out.print_json(json.dumps(asdict(needs) | {"fits": needs.fits, "fits_disk": needs.fits_disk}))
    else:
        out.print(_table(needs))
        if needs.ranking is not None:
            print_ranking(chosen.select, needs)
        print_requirements(needs)
    if not force:
        refuse_what_cannot_fit(needs)


def _examples(recipe: Recipe) -> Sequence[Example] | None:
    """What it trains on, so that its steps are counted; None, with the reason told, where that cannot be read."""
    from toolkit.training import mix_if_here

    try:
        mixture = mix_if_here(recipe)
    except CogsymError as error:
        err.print(f"the rows cannot be counted: {error}", style="yellow", markup=False, soft_wrap=True)
        return None
    if mixture is None and recipe.max_steps is None:
        err.print("its data is not here to count the steps: time is told per step", style="dim", soft_wrap=True)
    return mixture.examples if mixture else None


def print_ranking(select: str, needs: Requirements) -> None:
    """Print what is not known yet of a ranked selection, and what finding it takes."""
    assert needs.ranking is not None
    share = needs.trained_weights / needs.weights
    err.print(
        f"{select}: up to {needs.trained_weights:,} weights ({share:.0%}) train; in which layers is found when the run "
        "starts, so this is the most that any take",
        soft_wrap=True,
    )
    takes = "" if needs.ranking.seconds is None else f" and {_range(needs.ranking.seconds)}"
    err.print(
        f"finding them takes about {needs.ranking.bytes / 1e9:,.1f} GB{takes}, before training: {needs.ranking.does}",
        soft_wrap=True,
    )


def print_requirements(needs: Requirements) -> None:
    """Print on two lines what is needed and what there is."""
    free = "unknown" if needs.free_bytes is None else f"{needs.free_bytes / 1e9:,.1f} GB"
    place = "GPU memory" if needs.on_gpu else "memory"
    if needs.shards > 1:
        place += f" on each of {needs.shards} cards that share the model"
    err.print(
        f"needs about {needs.needed_bytes / 1e9:,.1f} GB of {place} ({free} free) and up to "
        f"{needs.disk_bytes / 1e9:,.1f} GB of disk ({needs.free_disk_bytes / 1e9:,.1f} GB free), "
        f"if examples are as long as {needs.tokens} tokens",
        soft_wrap=True,
    )
    if needs.time is None:
        return
    whole = "" if needs.time.whole is None else f", {_range(needs.time.whole)} for {needs.steps:,} steps"
    err.print(
        f"takes {_range(needs.time.step)} per step{whole}, for examples of {needs.mean_tokens:.0f} tokens "
        f"({needs.time.assumes})",
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
    table.add_row("with what the allocator cannot use", f"{needs.needed_bytes / 1e9:,.2f}", style="bold")
    return table


def _range(span: Span) -> str:
    """`2 to 3 h`: as exact as an estimate can be."""
    unit, name = next(
        ((size, name) for size, name in ((3600, "h"), (60, "min"), (1, "s")) if span.most >= 1.5 * size), (1e-3, "ms")
    )
    least, most = (
        f"{value / unit:.2g}" if value < 100 * unit else f"{value / unit:,.0f}" for value in (span.least, span.most)
    )
    return f"about {most} {name}" if least == most else f"{least} to {most} {name}"
