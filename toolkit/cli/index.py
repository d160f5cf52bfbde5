"""`cogsym index`: one page that lists many languages with their scores."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from toolkit.cli.console import err

if TYPE_CHECKING:
    from hub_cards import CardFacts


def index(
    deltas: Annotated[
        list[str] | None,
        typer.Argument(help="Run folders, folders of downloaded deltas, ORG/NAME or ORG/NAME@revision."),
    ] = None,
    author: Annotated[str | None, typer.Option(help="Also all that this organisation or user has published.")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="File to write; left out, the page is printed.")] = None,
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Languages",
    introduction: Annotated[str, typer.Option(help="A paragraph below the heading.")] = "",
    organisation: Annotated[
        bool, typer.Option("--organisation", help="As the README.md of an organisation's own page on the Hub.")
    ] = False,
) -> None:
    """List languages with their scores, from the records of each.

    Example: cogsym index --author my-org --organisation --out README.md
    """
    from hub_cards.index import render_index, render_organisation

    facts = [_facts(delta) for delta in deltas or ()] + (_published_by(author) if author else [])
    render = render_organisation if organisation else render_index
    page = render(facts, title=title, introduction=introduction)
    if to is None:
        sys.stdout.write(page)
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(page, encoding="utf-8")
    err.print(escape(f"wrote {to}"), soft_wrap=True)


def _facts(delta: str) -> CardFacts:
    from hub_cards import collect
    from toolkit import hub
    from toolkit.hub.target import is_repo_id
    from toolkit.run_folder import RunFolder

    if is_repo_id(delta.partition("@")[0]) and not Path(delta).exists():
        return hub.read_published([delta])[0].facts
    run = RunFolder(Path(delta))
    facts = collect(run)
    return facts if facts.published else facts.model_copy(update={"name": run.name})


def _published_by(author: str) -> list[CardFacts]:
    from toolkit import hub

    found, notes = hub.find_published(author)
    for note in notes:
        err.print(f"note: {escape(note)}", soft_wrap=True)
    return [delta.facts for delta in found]
