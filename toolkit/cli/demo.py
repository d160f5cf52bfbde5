"""`cogsym demo`: the whole way on this machine, told as it happens."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import err, out, quiet_libraries
from toolkit.cli.story import Storyteller

if TYPE_CHECKING:
    from toolkit.demo import Demo
    from toolkit.records import EvaluationRecord


def demo(
    to: Annotated[Path, typer.Option("--out", help="Folder to make, or to go on in.")] = Path("demo"),
    language: Annotated[str, typer.Option(help="jav (Javanese) or sun (Sundanese).")] = "jav",
    quick: Annotated[bool, typer.Option("--quick", help="Only show that every stage works; it learns little.")] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also train full, front, rear and middle layers, and compare.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of shuffling.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
) -> None:
    """Teach a small model Javanese here, now: train, measure, write the card, publish to a folder, translate."""
    from toolkit.demo import run_demo

    if not as_json:
        err.print("[bold]Teaching a language model a language.[/] A few minutes on two cores; no network, no account.")
    try:
        with Storyteller() as listener:
            quiet_libraries()
            made = run_demo(to, listener, language=language, quick=quick, compare=compare, seed=seed)
    except KeyboardInterrupt:
        err.print("\nstopped; the same command again goes on from here", style="yellow")
        raise typer.Exit(130) from None
    if as_json:
        out.print_json(json.dumps([record.model_dump() for record in _records(made)]))
        return
    _print_result(made, quick)


def _print_result(made: Demo, quick: bool) -> None:
    assert made.delta is not None
    out.print()
    out.print(_score_table(made))
    if quick:
        out.print("--quick trains for seconds only: these scores show that the stages work, and nothing else.")
    english, reference = made.example
    out.print(f"\n[bold]{escape(english)}[/]")
    out.print(f"  base        {escape(made.before)}")
    out.print(f"  adapted     [green]{escape(made.after)}[/]")
    out.print(f"  and back    {escape(made.back)}")
    out.print(f"  phrasebook  {escape(reference)}")
    share = made.delta.size_bytes / made.run.read_config().base.size_bytes
    out.print(f"\n[bold]What you have[/] after {made.seconds:.0f} s")
    for what, path in (
        (f"delta, {made.delta.size_bytes / 1e6:.2f} MB ({share:.0%} of the model)", made.run.delta),
        ("card", made.run.card),
        ("published repository", made.published),
        ("merged model", made.merged),
        *([("comparison with its figures", made.comparison.report)] if made.compared else []),
    ):
        out.print(f"  {what}: {escape(str(path))}", soft_wrap=True)
    out.print("\n[bold]Try next[/]")
    published, program = shlex.quote(str(made.published)), _program()
    for command in (
        f"space serve --delta {published}",
        f"translate {published} {shlex.quote(english)} --direction 'eng>{made.language}'",
        f"inspect {shlex.quote(str(made.run.delta))}",
        f"train --recipe {shlex.quote(str(made.recipe))} --select front:25% --out runs/front",
        "recipes",
    ):
        out.print(f"  {escape(f'{program} {command}')}", soft_wrap=True)
    out.print(
        "\nThe pocket is a phrasebook that no native speaker has reviewed yet: it shows the method, not the language.",
        style="dim",
    )


def _program() -> str:
    """How this command can be called again: by its name where the shell finds it, else by the path it was called by."""
    if shutil.which("cogsym"):
        return "cogsym"
    called = Path(sys.argv[0])
    return shlex.quote(os.path.relpath(called)) if called.name == "cogsym" else f"{sys.executable} -m toolkit"


def _score_table(made: Demo) -> Table:
    compared = {"cogsym:25%": made.evaluations, **made.compared}
    table = Table(title="chrF++ on sentences that no model has seen (95% interval)", title_justify="left", box=None)
    for column in ("direction", "base", *(compared if made.compared else ("adapted",))):
        table.add_column(column, justify="left" if column == "direction" else "right")
    first = made.evaluations
    for base in (record for record in first if record.model == "base"):
        cells = [_cell(base)]
        for records in compared.values():
            cells.append(
                next(
                    (_cell(record) for record in records if record.model == "adapted" and record.task == base.task),
                    "-",
                )
            )
        known = " (known)" if base.role == "known" else ""
        table.add_row(f"{base.direction}{known}", *cells)
    return table


def _cell(record: EvaluationRecord) -> str:
    score = record.score("chrF++")
    if score is None:
        return "-"
    if score.low is None or score.high is None:
        return f"{score.value:.1f}"
    return f"{score.value:.1f} [dim]({score.low:.1f}-{score.high:.1f})[/]"


def _records(made: Demo) -> list[EvaluationRecord]:
    return [*made.evaluations, *(record for records in made.compared.values() for record in records)]
