"""`cogsym sweep`: train one recipe many times over, vary one thing, and draw what comes of it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from toolkit.cli.chosen_recipe import read_chosen_recipe
from toolkit.cli.console import err, out, print_numbers, quiet_libraries, steps_progress
from toolkit.cli.sweep_options import BudgetOption, SweepOptions, numbers_of, with_sweep_options, words_of
from toolkit.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from toolkit.analysis import Kind, Outlined, SweepFolder, SweepRecord, SweepStep
    from toolkit.selection import ModelLayout

app = typer.Typer(
    no_args_is_help=True,
    help="Train one recipe many times over, vary one thing, and draw what comes of it.",
    epilog="Every run has a folder of its own. The same command again goes on where it stopped; `draw` trains nothing.",
)


NOTHING_TAKEN = "nothing was taken over: no run there has the recipe, data and base of a point of this sweep"


def _sweep(kind: str, varied: dict[str, Any], options: SweepOptions) -> None:
    quiet_libraries()
    from toolkit.analysis import SweepFolder, Variation, outline, plan_sweep, run_sweep
    from toolkit.pretrained import resolve_base, resolve_config
    from toolkit.selection import read_layout

    to, dry_run, as_json = options.to, options.dry_run, options.as_json
    if to is None and not dry_run:
        raise RecipeError("where should the runs go?", "add --out FOLDER, or --dry-run to list them")
    chosen = read_chosen_recipe(options.recipe, {"base": options.base})
    resolve = resolve_config if dry_run else resolve_base
    layout = read_layout(resolve(chosen.base, chosen.base_revision))
    seeds, methods = numbers_of("--seeds", options.seeds), words_of(options.method)
    variation = Variation(**varied, seeds=seeds, methods=methods, full=options.full)
    planned = plan_sweep(cast("Kind", kind), chosen, layout, variation, limit=options.limit)
    if dry_run or not as_json:
        _print_points(outline(planned, to, layout, options.reuse or ()), layout, as_json=as_json)
    if dry_run or to is None:
        return
    with _sweep_progress() as report:
        record = run_sweep(planned, to, reuse=options.reuse or (), force=options.force, report=report)
    _show(SweepFolder(to), record, as_json)
    if record.failed:
        raise typer.Exit(1)


@app.command()
@with_sweep_options(_sweep)
def budgets(
    select: Annotated[
        str | None, typer.Option(help="Regions to grow, e.g. cogsym,front,rear (the default), middle, random, fisher.")
    ] = None,
    budgets: Annotated[
        str | None, typer.Option(help="Layers to train, e.g. 2,4,8; default every second number up to all.")
    ] = None,
) -> dict[str, Any]:
    """Score against the number of layers that train: front, rear and both ends (the paper's figures 1 to 3, 8).

    Example: cogsym sweep budgets --recipe pocket-jav.yaml --out sweeps/jav --budgets 2,4,8
    """
    return {"select": words_of(select), "budgets": words_of(budgets)}


@app.command()
@with_sweep_options(_sweep)
def positions(
    budget: BudgetOption = "25%",
    offsets: Annotated[
        str | None, typer.Option(help="Layers between each half and its end, e.g. 0,4,8; default until they meet.")
    ] = None,
) -> dict[str, Any]:
    """Score against the position of the layers: outermost, then moved inward (figure 5).

    Example: cogsym sweep positions --recipe pocket-jav.yaml --out sweeps/positions
    """
    return {"budget": budget, "offsets": numbers_of("--offsets", offsets)}


@app.command()
@with_sweep_options(_sweep)
def methods(
    select: Annotated[
        str | None,
        typer.Option(
            help="Methods to compare, with --budget unless one has its own; default "
            "cogsym,fisher,alpha,neurons-count,front,rear,middle,random."
        ),
    ] = None,
    budget: BudgetOption = "25%",
) -> dict[str, Any]:
    """Ways to choose the same number of layers, and the layers that each chose (figures 6 and 7).

    Example: cogsym sweep methods --recipe pocket-jav.yaml --out sweeps/methods --method weights,lora
    """
    return {"select": words_of(select), "budget": budget}


@app.command()
@with_sweep_options(_sweep)
def order(
    select: Annotated[str | None, typer.Option(help="Selection with two ends; default cogsym:25%.")] = None,
) -> dict[str, Any]:
    """Both ends together, or one after the other (figure 9).

    Example: cogsym sweep order --recipe pocket-jav.yaml --out sweeps/order
    """
    return {"select": words_of(select)}


@app.command()
@with_sweep_options(_sweep)
def time(
    select: Annotated[
        str | None, typer.Option(help="Selections to follow; default cogsym:25%,front:25%,rear:25%.")
    ] = None,
    steps: Annotated[
        str | None, typer.Option(help="Steps after which to measure, e.g. 100,200; default ten, evenly.")
    ] = None,
) -> dict[str, Any]:
    """Score while training: the same runs measured again and again (figure 4).

    Example: cogsym sweep time --recipe pocket-jav.yaml --out sweeps/time --steps 100,200,400
    """
    return {"select": words_of(select), "steps": numbers_of("--steps", steps)}


@app.command()
def draw(
    sweep: Annotated[Path, typer.Argument(help="Folder of a sweep; it may still be running.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw figures, table and sweep.md again from what is done; trains and measures nothing.

    Example: cogsym sweep draw sweeps/jav
    """
    from toolkit.analysis import SweepFolder
    from toolkit.analysis.report import write_report

    folder = SweepFolder(sweep)
    record = folder.read()
    write_report(folder, record)
    _show(folder, record, as_json)


def _print_points(points: Sequence[Outlined], layout: ModelLayout, *, as_json: bool) -> None:
    """List the runs with what each trains."""
    rows = [_row(each, layout) for each in points]
    if as_json:
        out.print_json(json.dumps(rows))
        return
    table = Table(box=None, header_style="bold")
    for column in ("run", "layers", "weights", "share", ""):
        table.add_column(column, justify="right" if column in ("weights", "share") else "left", no_wrap=True)
    for row in rows:
        weights = "when it runs" if row["trained_weights"] is None else f"{row['trained_weights']:,}"
        share = "" if row["share"] is None else f"{row['share']:.0%}"
        note = "trained already" if row["trained"] else "recipe is known" if row["same_recipe"] else ""
        table.add_row(escape(row["name"]), row["layers"] or "", weights, share, note)
    print_numbers(table, err)
    left, known = sum(not row["trained"] for row in rows), sum(row["same_recipe"] is not None for row in rows)
    largest = sum(
        (row["trained_weights"] or layout.n_weights) * (1 + len(each.point.snapshots))
        for row, each in zip(rows, points, strict=True)
    )
    err.print(f"{len(rows)} runs, {left} of them to train; all deltas take at most {decimal(2 * largest)}", style="dim")
    if known:
        err.print(f"recipe is known: {known} taken over where data and base of that run are the same", style="dim")


def _row(outlined: Outlined, layout: ModelLayout) -> dict[str, Any]:
    from toolkit.analysis import selection_of
    from toolkit.selection import describe_layers

    point, elsewhere = outlined.point, outlined.same_recipe
    selection = selection_of(point, layout)
    return {
        "name": point.name,
        "select": point.recipe.select,
        "method": point.recipe.method,
        "seed": point.recipe.seed,
        "layers": describe_layers(selection.layers) if selection else None,
        "trained_weights": selection.trained_weights if selection else None,
        "share": selection.share if selection else None,
        "trained": outlined.is_trained,
        "same_recipe": str(elsewhere.root) if elsewhere else None,
    }


@contextmanager
def _sweep_progress() -> Iterator[Callable[[SweepStep], None]]:
    """Two bars: the points of the sweep, and what the current one is doing."""
    from toolkit.analysis import TAKEN_OVER

    with steps_progress() as progress:
        whole = progress.add_task("sweep", total=None, note="")
        part = progress.add_task("", total=None, note="", visible=False)

        def report(step: SweepStep) -> None:
            if step.stage == TAKEN_OVER:
                told = f"taken over: {step.point}" if step.point else NOTHING_TAKEN
                progress.console.print(escape(told), soft_wrap=True)
                return
            left = "" if step.seconds_left is None else f"about {_duration(step.seconds_left)} left"
            progress.update(whole, completed=step.points_done, total=step.points, note=left)
            progress.update(
                part,
                description=f"{step.stage} {escape(step.point)}",
                completed=step.done,
                total=step.total,
                note=step.note,
                visible=True,
            )

        yield report


def _show(folder: SweepFolder, record: SweepRecord, as_json: bool) -> None:
    """Print a table for every direction and metric, and where everything lies."""
    from toolkit.analysis.report import can_be_drawn, table_of_panel
    from toolkit.analysis.scores import cautions_in, intervals_in_words, read_panels

    if as_json:
        out.print_json(record.model_dump_json())
        return
    panels = read_panels(folder, record) if can_be_drawn(record) else []
    for panel in panels:
        several = len({each.dataset for each in panels}) > 1
        where = f"{panel.dataset} {panel.direction}" if several else panel.direction
        heading, lines = table_of_panel(record, panel)
        out.print(f"[bold]{escape(f'{where}, {panel.heading}')}[/]")
        printed = Table(box=None, header_style="dim")
        for column in heading:
            printed.add_column(escape(column), justify="left" if column == "trained" else "right", no_wrap=True)
        for line in lines:
            printed.add_row(*map(escape, line))
        print_numbers(printed)
    for caution in cautions_in(panels):
        out.print(escape(caution), style="yellow")
    if panels:
        out.print(f"scores: {intervals_in_words(panels)}", style="dim")
        out.print("from full, from base: with paired 95% intervals over sentences", style="dim")
        out.print("~: the draw of sentences alone may have made this difference", style="dim")
    for point in record.failed:
        err.print(f"[bold red]failed:[/] {escape(point.name)}: {escape(point.error or '')}", soft_wrap=True)
    if panels:
        err.print(f"figures and summary: {folder.report}", style="dim", soft_wrap=True)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
