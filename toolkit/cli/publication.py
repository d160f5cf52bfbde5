"""What the verbs that publish say: the plan of a dry run, and what was done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer
from rich.filesize import decimal
from rich.markup import escape

from toolkit.cli.console import err, out

if TYPE_CHECKING:
    from toolkit.hub import PublishReport


def tell(report: PublishReport, *, as_json: bool) -> None:
    """Print what was, or would be, published; ends with 1 where a check of a dry run has failed."""
    if as_json:
        out.print_json(json.dumps(report.as_dict()))
    else:
        if report.dry_run:
            _print_plan(report)
        if report.ok:
            out.print(escape(_outcome(report)), soft_wrap=True)
        for note in report.notes:
            out.print(f"note: {escape(note)}", soft_wrap=True)
    if not report.ok:
        err.print("[bold red]error:[/] not ready to be published")
        raise typer.Exit(1)


def _print_plan(report: PublishReport) -> None:
    changed = set(report.uploads)
    for file in report.files:
        mark = ("new" if file.path in changed else "same") if report.ok else ""
        out.print(f"{mark:>6}  {decimal(file.size_bytes):>10}  {escape(file.path)}", soft_wrap=True)
    for mark, paths in (("remove", report.deletions), ("stays", report.left_out)):
        for path in paths:
            out.print(f"[dim]{mark:>6}  {'':>10}  {escape(path)}[/]", soft_wrap=True)
    for check in report.checks:
        out.print(f"{'[green]ok[/]' if check.ok else '[red]failed[/]'}  {check.name}")
        for problem in check.problems:
            out.print(f"    {escape(problem)}", soft_wrap=True)


def _outcome(report: PublishReport) -> str:
    size = f"{len(report.files)} files, {decimal(report.size_bytes)}"
    if report.dry_run:
        if not report.uploads and not report.deletions:
            return f"{report.target} holds exactly this already: {size}"
        return f"would publish to {report.target}: {size}, of which {len(report.uploads)} changed"
    done = f"published to {report.url}" if report.changed else f"nothing to do, {report.url} holds exactly this already"
    read_back = f"; {report.verified_files} files read back and equal" if report.verified_files else ""
    smoke = f"\n{report.smoke}" if report.smoke else ""
    return f"{done}: {size}{read_back}{smoke}"
