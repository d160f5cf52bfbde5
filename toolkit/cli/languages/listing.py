"""`cogsym languages list`: every language that is known here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import out
from toolkit.cli.languages.options import Json

if TYPE_CHECKING:
    from toolkit.languages import Language


def list_(as_json: Json = False) -> None:
    """List every language of the registry, and those whose files lie in this folder."""
    from toolkit.languages import all_languages, look_in

    look_in(Path.cwd())
    languages = all_languages().values()
    if as_json:
        out.print_json(json.dumps([language.model_dump(mode="json") for language in languages]))
        return
    table = Table("code", "English name", "own name", "script", "spoken in", box=None)
    table.add_column("speakers", justify="right")
    table.add_column("models", justify="right")
    for language in languages:
        where = re.sub(r" \([^)]*\)", "", language.spoken_in or "")  # the countries, without their regions
        cells = (language.code, language.names.english, language.names.own, language.script, where)
        models = str(len(language.models)) if language.models else ""
        table.add_row(*map(escape, cells), _rounded(language), models)
    out.print(table)


def _rounded(language: Language) -> str:
    """84 million, 890 thousand; the exact figure and who gives it are on the language's own page."""
    if language.speakers is None:
        return ""
    count = language.speakers.count
    for size, word in ((1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand")):
        if count >= size:
            return f"{float(f'{count / size:.2g}' if count < 100 * size else f'{count / size:.0f}'):g} {word}"
    return str(count)
