"""`cogsym sweep`: train one recipe many times over, vary one thing, and draw what comes of it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import err, out, quiet_libraries, steps_progress
from toolkit.cli.train import read_chosen_recipe
from toolkit.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolkit.analysis import Kind, Sweep, SweepFolder, SweepRecord, SweepStep

app = typer.Typer(
    no_args_is_help=True,
    help="Train one recipe many times over, vary one thing, and draw what comes of it.",
    epilog="Every run has a folder of its own. The same command again goes on where it stopped; `draw` trains nothing.",
)

RecipeOption = Annotated[
    str | None, typer.Option("--recipe", help="YAML file, or the name of a recipe of the toolkit.")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder of the sweep, to make or to go on with.")]
BaseOption = Annotated[
    str | None, typer.Option("--base", help="Base instead of the recipe's: pocket, a folder, or a Hub id.")
]
BudgetOption = Annotated[str, typer.Option("--budget", help="Layers that train, e.g. 8 or 25%.")]
SeedsOption = Annotated[str | None, typer.Option("--seeds", help="Train each point with these, e.g. 0,1,2.")]
MethodOption = Annotated[
    str | None, typer.Option("--method", help="weights, lora, or weights,lora; default the recipe's.")
]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Sentences per test set, the first ones.")]
FullOption = Annotated[bool, typer.Option("--full/--no-full", help="Also train everything, to compare with.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Train even what looks too large for this machine.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="List the runs and what each trains; write nothing.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def budgets(
    recipe: RecipeOption = None,
    to: OutOption = None,
    select: Annotated[
        str | None, typer.Option(help="Regions to grow, e.g. cogsym,front,rear (the default), middle, random, fisher.")
    ] = None,
    budgets: Annotated[
        str | None, typer.Option(help="Layers to train, e.g. 2,4,8; default every second number up to all.")
    ] = None,
    base: BaseOption = None,
    seeds: SeedsOption = None,
    method: MethodOption = None,
    limit: LimitOption = None,
    full: FullOption = True,
    force: ForceOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score against the number of layers that train: front, rear and both ends (the paper's figures 1 to 3, 8).

    Example: cogsym sweep budgets --recipe pocket-jav.yaml --out sweeps/jav --budgets 2,4,8
    """
    varied = {"select": _words(select), "budgets": _words(budgets)}
    _sweep("budgets", recipe, to, base, varied, seeds, method, limit, full, force, dry_run, as_json)


@app.command()
def positions(
    recipe: RecipeOption = None,
    to: OutOption = None,
    budget: BudgetOption = "25%",
    offsets: Annotated[
        str | None, typer.Option(help="Layers between each half and its end, e.g. 0,4,8; default until they meet.")
    ] = None,
    base: BaseOption = None,
    seeds: SeedsOption = None,
    method: MethodOption = None,
    limit: LimitOption = None,
    full: FullOption = True,
    force: ForceOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score against the position of the layers: outermost, then moved inward (figure 5).

    Example: cogsym sweep positions --recipe pocket-jav.yaml --out sweeps/positions
    """
    varied = {"budget": budget, "offsets": _numbers("--offsets", offsets)}
    _sweep("positions", recipe, to, base, varied, seeds, method, limit, full, force, dry_run, as_json)


@app.command()
def methods(
    recipe: RecipeOption = None,
    to: OutOption = None,
    select: Annotated[
        str | None,
        typer.Option(
            help="Methods to compare, with --budget unless one has its own; default "
            "cogsym,fisher,alpha,neurons-count,front,rear,middle,random."
        ),
    ] = None,
    budget: BudgetOption = "25%",
    base: BaseOption = None,
    seeds: SeedsOption = None,
    method: MethodOption = None,
    limit: LimitOption = None,
    full: FullOption = True,
    force: ForceOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ways to choose the same number of layers, and the layers that each chose (figures 6 and 7).

    Example: cogsym sweep methods --recipe pocket-jav.yaml --out sweeps/methods --method weights,lora
    """
    varied = {"select": _words(select), "budget": budget}
    _sweep("methods", recipe, to, base, varied, seeds, method, limit, full, force, dry_run, as_json)


@app.command()
def order(
    recipe: RecipeOption = None,
    to: OutOption = None,
    select: Annotated[str | None, typer.Option(help="Selection with two ends; default cogsym:25%.")] = None,
    base: BaseOption = None,
    seeds: SeedsOption = None,
    method: MethodOption = None,
    limit: LimitOption = None,
    full: FullOption = True,
    force: ForceOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Both ends together, or one after the other (figure 9).

    Example: cogsym sweep order --recipe pocket-jav.yaml --out sweeps/order
    """
    varied = {"select": _words(select)}
    _sweep("order", recipe, to, base, varied, seeds, method, limit, full, force, dry_run, as_json)


@app.command()
def time(
    recipe: RecipeOption = None,
    to: OutOption = None,
    select: Annotated[
        str | None, typer.Option(help="Selections to follow; default cogsym:25%,front:25%,rear:25%.")
    ] = None,
    steps: Annotated[
        str | None, typer.Option(help="Steps after which to measure, e.g. 100,200; default ten, evenly.")
    ] = None,
    base: BaseOption = None,
    seeds: SeedsOption = None,
    method: MethodOption = None,
    limit: LimitOption = None,
    full: FullOption = True,
    force: ForceOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score while training: the same runs measured again and again (figure 4).

    Example: cogsym sweep time --recipe pocket-jav.yaml --out sweeps/time --steps 100,200,400
    """
    varied = {"select": _words(select), "steps": _numbers("--steps", steps)}
    _sweep("time", recipe, to, base, varied, seeds, method, limit, full, force, dry_run, as_json)


@app.command()
def draw(
    sweep: Annotated[Path, typer.Argument(help="Folder of a sweep; it may still be running.")],
    as_json: JsonOption = False,
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


def _sweep(
    kind: Kind,
    recipe: str | None,
    to: Path | None,
    base: str | None,
    varied: dict[str, Any],
    seeds: str | None,
    method: str | None,
    limit: int | None,
    full: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    quiet_libraries()
    from toolkit.analysis import SweepFolder, Variation, plan_sweep, run_sweep
    from toolkit.pretrained import resolve_base, resolve_config
    from toolkit.selection import read_layout

    if to is None and not dry_run:
        raise RecipeError("where should the runs go?", "add --out FOLDER, or --dry-run to list them")
    chosen = read_chosen_recipe(recipe, {"base": base})
    resolve = resolve_config if dry_run else resolve_base
    layout = read_layout(resolve(chosen.base, chosen.base_revision))
    variation = Variation(**varied, seeds=_numbers("--seeds", seeds), methods=_words(method), full=full)
    planned = plan_sweep(kind, chosen, layout, variation, limit=limit)
    _print_points(planned, layout, to, as_json=as_json and dry_run, quiet=as_json and not dry_run)
    if dry_run or to is None:
        return
    with _sweep_progress() as report:
        record = run_sweep(planned, to, force=force, report=report)
    _show(SweepFolder(to), record, as_json)
    if record.failed:
        raise typer.Exit(1)


def _print_points(sweep: Sweep, layout: Any, to: Path | None, *, as_json: bool, quiet: bool) -> None:
    """List the runs with what each trains."""
    from toolkit.analysis import outline, selection_of
    from toolkit.selection import describe_layers

    rows: list[dict[str, Any]] = []
    for point, trained in outline(sweep, to or Path()):
        selection = selection_of(point, layout)
        rows.append(
            {
                "name": point.name,
                "select": point.recipe.select,
                "method": point.recipe.method,
                "seed": point.recipe.seed,
                "layers": describe_layers(selection.layers) if selection else None,
                "trained_weights": selection.trained_weights if selection else None,
                "share": selection.share if selection else None,
                "trained": to is not None and trained,
            }
        )
    if as_json:
        out.print_json(json.dumps(rows))
        return
    if quiet:
        return
    table = Table(box=None, header_style="bold")
    for column in ("run", "layers", "weights", "share", ""):
        table.add_column(column, justify="right" if column in ("weights", "share") else "left", no_wrap=True)
    for row in rows:
        weights = "found when it runs" if row["trained_weights"] is None else f"{row['trained_weights']:,}"
        share = "" if row["share"] is None else f"{row['share']:.0%}"
        note = "trained already" if row["trained"] else ""
        table.add_row(escape(str(row["name"])), str(row["layers"] or ""), weights, share, note)
    err.print(table)
    left = sum(not row["trained"] for row in rows)
    weights = sum(
        (row["trained_weights"] or layout.n_weights) * (1 + len(point.snapshots))
        for row, point in zip(rows, sweep.points, strict=True)
    )
    err.print(f"{len(rows)} runs, {left} of them to train; all deltas take at most {decimal(2 * weights)}", style="dim")


@contextmanager
def _sweep_progress() -> Iterator[Callable[[SweepStep], None]]:
    """Two bars: the points of the sweep, and what the current one is doing."""
    with steps_progress() as progress:
        whole = progress.add_task("sweep", total=None, note="")
        part = progress.add_task("", total=None, note="", visible=False)

        def report(step: SweepStep) -> None:
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
    """Print the table of the first metric, and where everything lies."""
    from toolkit.analysis.report import can_be_drawn, table
    from toolkit.analysis.scores import has_seeds, read_panels

    if as_json:
        out.print_json(record.model_dump_json())
        return
    panels = read_panels(folder, record) if can_be_drawn(record) else []
    for metric in dict.fromkeys(panel.metric for panel in panels):
        heading, lines = table(record, [panel for panel in panels if panel.metric == metric])
        printed = Table(title=metric, title_justify="left", box=None, header_style="bold")
        for column in heading:
            printed.add_column(escape(column), justify="left" if column == "trained" else "right", no_wrap=True)
        for line in lines:
            printed.add_row(*map(escape, line))
        out.print(printed)
    meaning = "lowest and highest seed" if has_seeds(panels) else "95% bootstrap interval"
    if panels:
        out.print(f"[a, b]: {meaning}", style="dim", markup=False)
    for point in record.failed:
        err.print(f"[bold red]failed:[/] {escape(point.name)}: {escape(point.error or '')}", soft_wrap=True)
    if panels:
        err.print(f"figures and summary: {folder.report}", style="dim", soft_wrap=True)


def _words(text: str | None) -> tuple[str, ...] | None:
    """`a,b` as its parts; None where nothing was said."""
    words = tuple(dict.fromkeys(word.strip() for word in (text or "").split(",") if word.strip()))
    return words or None


def _numbers(option: str, text: str | None) -> tuple[int, ...] | None:
    words = _words(text)
    wrong = next((word for word in words or () if not (word.isascii() and word.isdigit())), None)
    if wrong is not None:
        raise RecipeError(f"{option}: '{wrong}' is not a whole number", f"write it like {option} 0,1,2")
    return tuple(map(int, words)) if words else None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
