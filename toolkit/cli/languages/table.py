"""`cogsym languages table`: all languages as a table in Markdown, as `toolkit/languages/README.md` has it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from toolkit.cli.console import err


def table(
    to: Annotated[Path | None, typer.Option("--out", help="File to write; left out, the table is printed.")] = None,
    scores: Annotated[bool, typer.Option("--scores", help="Read the models' scores from their published records.")] = (
        False
    ),
) -> None:
    """Write the table of the languages that come with the toolkit, in Markdown.

    Example: cogsym languages table --out toolkit/languages/README.md
    """
    from toolkit.contributions.overview import languages_page, published_scores
    from toolkit.languages import all_languages

    languages = all_languages().values()
    page = languages_page(languages, published_scores(languages) if scores else None)
    if to is None:
        sys.stdout.write(page)
        return
    to.write_text(page, encoding="utf-8", newline="\n")
    err.print(escape(f"wrote {to}"), soft_wrap=True)
