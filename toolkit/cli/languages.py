"""`cogsym languages`: the languages that the toolkit knows."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from toolkit.cli.console import out

app = typer.Typer(no_args_is_help=True, help="List and show the languages of the registry.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List every language of the registry."""
    from toolkit.languages import all_languages

    languages = all_languages().values()
    if as_json:
        out.print_json(json.dumps([language.model_dump(mode="json") for language in languages]))
        return
    table = Table("code", "own name", "English name", "script", box=None)
    for language in languages:
        table.add_row(language.code, language.names.own, language.names.english, language.script)
    out.print(table)


@app.command()
def show(code: Annotated[str, typer.Argument(help="ISO 639-3 code, e.g. jav")]) -> None:
    """Show one language of the registry as JSON."""
    from toolkit.languages import get_language

    out.print_json(get_language(code).model_dump_json())
