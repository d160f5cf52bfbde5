"""`cogsym index`: one page that lists many languages with their scores."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from toolkit.cli.console import err


def index(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders of downloaded deltas.")],
    to: Annotated[Path | None, typer.Option("--out", help="File to write; left out, the page is printed.")] = None,
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Languages",
    introduction: Annotated[str, typer.Option(help="A paragraph below the heading.")] = "",
    organisation: Annotated[
        bool, typer.Option("--organisation", help="As the README.md of an organisation's own page on the Hub.")
    ] = False,
) -> None:
    """List languages with their scores, from the records of each.

    Example: cogsym index runs/jav runs/sun --title "Languages of Java" --out README.md
    """
    from hub_cards import collect
    from hub_cards.index import render_index, render_organisation
    from toolkit.run_folder import RunFolder

    render = render_organisation if organisation else render_index
    page = render([collect(RunFolder(run)) for run in runs], title=title, introduction=introduction)
    if to is None:
        sys.stdout.write(page)
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(page, encoding="utf-8")
    err.print(escape(f"wrote {to}"), soft_wrap=True)
