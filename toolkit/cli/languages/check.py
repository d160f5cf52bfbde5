"""`cogsym languages check`: a language file, and what it names, as review looks at them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from toolkit.cli.console import err, out
from toolkit.cli.languages.options import Json

if TYPE_CHECKING:
    from toolkit.contributions.report import FileReport


def check(
    files: Annotated[list[Path], typer.Argument(help="YAML files, each named by its code, e.g. ban.yaml")],
    data: Annotated[Path | None, typer.Option(help="Folder in which the files of its data sets lie.")] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch data sets and models that it names from the Hub, and check them.")
    ] = False,
    max_gib: Annotated[float, typer.Option(min=0, help="With --download: no larger model is fetched.")] = 4,
    as_json: Json = False,
) -> None:
    """Check language files before you send them: the file itself and, where they are at hand, its data and models.

    Nothing in them is run. What was not looked at is printed as such.
    """
    from toolkit.contributions.checking import GIB, check_contribution
    from toolkit.errors import CorpusError

    if data is not None and not data.is_dir():
        raise CorpusError(f"no folder {data}", "give the folder in which the data sets' files lie")
    reports = [check_contribution(file, data=data, download=download, max_bytes=round(max_gib * GIB)) for file in files]
    if as_json:
        out.print_json(json.dumps({report.file: report.as_dict() for report in reports}))
    else:
        for report in reports:
            _print(report)
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _print(report: FileReport) -> None:
    for problem in report.problems:
        err.print(f"[bold red]error:[/] {escape(str(problem))}", soft_wrap=True)
        err.print(f"[bold]hint:[/] {escape(problem.fix)}", soft_wrap=True)
    if report.ok:
        out.print(f"{escape(report.file)}: fine, as far as it was checked", soft_wrap=True)
    for seen in report.seen:
        out.print(f"  [green]checked:[/] {escape(f'{seen.field}: {seen.message}')}", soft_wrap=True)
    for remark in report.remarks:
        out.print(f"  [yellow]look:[/] {escape(f'{remark.field}: {remark.message}')}", soft_wrap=True)
        if remark.fix:
            out.print(f"    [dim]{escape(remark.fix)}[/]", soft_wrap=True)
    for one in report.unchecked:
        where = f"{one.field}: " if one.field else ""
        out.print(f"  [dim]not checked: {escape(f'{where}{one.what}, because {one.because}')}[/]", soft_wrap=True)
