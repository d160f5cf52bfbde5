"""`cogsym doctor`: what this machine has, and what is missing for which part."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import out


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check versions, graphics cards, memory and optional parts."""
    from toolkit.environment import examine

    report = examine()
    if as_json:
        out.print_json(json.dumps(report.as_dict()))
        return
    table = Table("part", "found", "", box=None)
    for part in report.parts:
        mark = "[green]ok[/]" if part.ok else ("[yellow]optional[/]" if part.optional else "[red]missing[/]")
        table.add_row(part.name, part.found, f"{mark} {escape(part.note)}")
    out.print(table)
