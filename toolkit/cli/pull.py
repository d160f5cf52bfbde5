"""`cogsym pull`: a published delta, brought to this machine and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape

from toolkit.cli.console import out as console


def pull(
    repository: Annotated[str, typer.Argument(help="`org/name` on the Hub.")],
    revision: Annotated[str | None, typer.Option(help="Branch, tag, commit or refs/pr/N.")] = None,
    out: Annotated[Path | None, typer.Option(help="Also lay the files into this folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Download again what the cache holds.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use what was downloaded before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Download a published delta and check its digest; an interrupted download goes on where it stopped."""
    from toolkit import hub

    report = hub.pull(repository, revision=revision, out=out, force=force, local_files_only=offline)
    if as_json:
        console.print_json(json.dumps(report.as_dict()))
        return
    base = report.config.base
    console.print(
        escape(
            f"{report.repo_id}@{report.commit}: {report.files} files, {decimal(report.size_bytes)}, digest checked\n"
            f"{report.config.language} ({', '.join(report.config.directions)}) on {base.id}\n{report.folder}"
        ),
        soft_wrap=True,
    )
