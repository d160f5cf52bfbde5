"""`cogsym card`: write the card of a run from its records, or make it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from toolkit.cli.console import err, out


def card(
    run: Annotated[Path, typer.Argument(help="Run folder, or the folder of a downloaded delta.")],
    to: Annotated[
        Path | None, typer.Option("--out", help="Write into this folder instead of the run, to look at it first.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="What its commands call it: `org/name`, or a folder's name. Default as before."),
    ] = None,
    full: Annotated[
        Path | None,
        typer.Option(help="Run that trained every weight on the same data, evaluated; its scores go into the table."),
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="Folder of the base, for its licence files; found by itself where it is here.")
    ] = None,
) -> None:
    """Write the card: page, scores for the Hub, pictures and licence files, all from the run's records.

    Run it again whenever the records change. What you have written between `<!-- yours: ... -->` and
    `<!-- end of yours -->` stays. So do the records that `--full` brings into the run.

    Example: cogsym card runs/jav --name my-org/llama-2-7b-cogsym-jav
    """
    from hub_cards import lint, write_card
    from hub_cards.compared import take_over_full
    from toolkit.pretrained import base_here
    from toolkit.run_folder import RunFolder

    folder = RunFolder(run)
    if full is not None:
        take_over_full(folder, RunFolder(full))
    files = write_card(folder, name=name, base=base or base_here(folder), out=to)
    for path in files:
        out.print(escape(str(path)), soft_wrap=True)
    if to is None:
        for problem in lint(folder.card.read_text(encoding="utf-8"), folder.root):
            err.print(f"[yellow]before you publish:[/] {escape(str(problem))}", soft_wrap=True)
