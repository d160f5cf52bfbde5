"""`cogsym languages search`: finds a language by any name, spelling-tolerant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import err, out
from toolkit.cli.languages.options import Json


def search(
    text: Annotated[str, typer.Argument(help="A name in any language or spelling, a code, or a country.")],
    as_json: Json = False,
) -> None:
    """Find a language without knowing its code."""
    from toolkit.languages import all_languages, look_in, search_languages
    from toolkit.languages.codes import named

    look_in(Path.cwd())
    found = search_languages(text, all_languages().values())
    if as_json:
        matches = [
            {
                "code": match.language.code,
                "field": match.field,
                "value": match.value,
                "likeness": round(match.likeness, 2),
            }
            for match in found
        ]
        out.print_json(json.dumps(matches))
        return
    if not found:
        iso = named(text)
        codes = " or ".join(f"{code} ({name})" for code, name in iso)
        said = f"; ISO 639-3 has {codes}" if codes else ""
        option = f" --code {iso[0][0]}" if len(iso) == 1 else ""
        err.print(escape(f"nothing found for {text}{said}; to add it: `cogsym languages new{option}`"), soft_wrap=True)
        return
    table = Table("code", "English name", "own name", "found by", box=None)
    for match in found:
        names = match.language.names
        table.add_row(*map(escape, (match.language.code, names.english, names.own, f"{match.field}: {match.value}")))
    out.print(table)
