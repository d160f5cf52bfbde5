"""`cogsym languages check`: a language file, and what it names, as review looks at them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from toolkit.cli.console import err, out
from toolkit.cli.languages.options import Json


def check(
    files: Annotated[list[Path], typer.Argument(help="YAML files, each named by its code, e.g. ban.yaml")],
    as_json: Json = False,
) -> None:
    """Check language files before you send them: YAML, fields, codes, script, licences. Nothing in them is run."""
    from toolkit.languages import all_languages
    from toolkit.languages.checking import check_language_file

    problems = {str(file): check_language_file(file, all_languages()) for file in files}
    if as_json:
        out.print_json(json.dumps({file: [problem.as_dict() for problem in found] for file, found in problems.items()}))
    else:
        for file, found in problems.items():
            for problem in found:
                err.print(f"[bold red]error:[/] {escape(str(problem))}", soft_wrap=True)
                err.print(f"[bold]hint:[/] {escape(problem.fix)}", soft_wrap=True)
            if not found:
                out.print(f"{escape(file)}: fine", soft_wrap=True)
    if any(problems.values()):
        raise typer.Exit(1)
