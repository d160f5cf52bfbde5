"""`cogsym search`: the deltas that are published on the Hub."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import err, out


def search(
    language: Annotated[str | None, typer.Option(help="Its code, e.g. jav.")] = None,
    author: Annotated[str | None, typer.Option(help="Organisation or user.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List published deltas with base, scores and size."""
    from toolkit import hub
    from toolkit.languages import own_code

    found = hub.search(None if language is None else own_code(language), author=author, limit=limit)
    if as_json:
        out.print_json(json.dumps([delta.as_dict() for delta in found]))
        return
    if not found:
        err.print("nothing found" + (f" for {escape(language)}" if language else ""))
        return
    table = Table("repository", "languages", "base", "scores", "size", box=None)
    for delta in found:
        scores = ", ".join(f"{score.metric} {score.value:.1f} ({score.dataset})" for score in delta.scores)
        size = "" if delta.size_bytes is None else decimal(delta.size_bytes)
        cells = (delta.repo_id, " ".join(delta.languages), delta.base or "", scores, size)
        table.add_row(*map(escape, cells))
    out.print(table)
