"""`cogsym languages review` and `comment`: what a pull request does to language files, and a comment that says it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.console import err, out
from toolkit.errors import LanguageError

MAX_RECORD = 4_000_000  # bytes; a review holds less


def review(
    before: Annotated[str, typer.Argument(help="Folder of language files as they are, or a commit.")],
    after: Annotated[str, typer.Argument(help="The same as they would be.")],
    to: Annotated[
        Path | None, typer.Option("--out", help="Write what was found to this JSON file; default print the comment.")
    ] = None,
) -> None:
    """Look at changed language files as a maintainer would: problems, credit, scores before and after, the card.

    Of a commit only the YAML files are taken out, as data; nothing in them is run.

    Example: cogsym languages review main HEAD
    """
    from toolkit.contributions.commenting import as_comment
    from toolkit.contributions.reviewing import review as look

    with tempfile.TemporaryDirectory(prefix="cogsym-review-") as folder:
        found = look(_folder(before, Path(folder) / "before"), _folder(after, Path(folder) / "after"))
    if to is not None:
        found.write(to)
    else:
        out.print(as_comment(found), markup=False, soft_wrap=True, end="")
    if not found.ok:
        err.print("[bold red]error:[/] something is to be mended")
        raise typer.Exit(1)


def comment(
    record: Annotated[Path, typer.Argument(help="JSON file that `review --out` wrote; it is not trusted.")],
    to: Annotated[Path | None, typer.Option("--out", help="Write to this file; default print.")] = None,
) -> None:
    """Write a review as a comment in Markdown, in which none of its values means anything but itself."""
    from toolkit.contributions.commenting import as_comment
    from toolkit.contributions.reviewing import Review

    if record.is_file() and record.stat().st_size > MAX_RECORD:
        raise LanguageError(f"{record.name} has more than {MAX_RECORD:,} bytes", "that is no review")
    text = as_comment(Review.read(record))
    if to is not None:
        to.write_text(text, encoding="utf-8")
    else:
        out.print(text, markup=False, soft_wrap=True, end="")


def _folder(given: str, place: Path) -> Path:
    """A folder as it is, or the language files of a commit taken out into `place`."""
    if Path(given).is_dir():
        return Path(given)
    from toolkit.contributions.taking import take_language_files

    take_language_files(given, place)
    return place
