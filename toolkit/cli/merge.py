"""`cogsym merge`: a delta onto its base, as an ordinary checkpoint."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape

from toolkit.cli.console import out as console
from toolkit.cli.delta_input import bytes_progress, find_base, find_delta


def merge(
    delta: Annotated[str, typer.Argument(help="A delta file, the folder that holds it, or a Hub id.")],
    out: Annotated[Path, typer.Option(help="The folder to write; it must not exist, or be empty.")],
    base: Annotated[
        str | None, typer.Option(help="The unmodified model: a folder or a Hub id; default the one the delta names.")
    ] = None,
    base_revision: Annotated[str | None, typer.Option(help="Commit of a base on the Hub.")] = None,
    revision: Annotated[str | None, typer.Option(help="Commit of a delta on the Hub.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: one per core.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy unchanged files too, rather than linking them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Merge a delta onto its base: the folder that comes out loads in transformers like any checkpoint.

    The base is checked before anything is written, and never touched.

    Example: cogsym merge org/llama-2-7b-cogsym-jav --out llama-2-7b-jav
    """
    from toolkit.delta import merge
    from toolkit.delta.checkpoint import DEFAULT_THREADS

    path = find_delta(delta, revision)
    folder = find_base(path, base, base_revision)
    started = time.monotonic()
    with bytes_progress() as progress:
        report = merge(path, folder, out, threads=threads or DEFAULT_THREADS, progress=progress, link=not copy)
    seconds = time.monotonic() - started
    if as_json:
        console.print_json(
            json.dumps(
                {
                    "out": str(report.out),
                    "files": report.files,
                    "size_bytes": report.size_bytes,
                    "changed_bytes": report.changed_bytes,
                    "linked_bytes": report.linked_bytes,
                    "seconds": round(seconds, 3),
                }
            )
        )
        return
    linked = f", {decimal(report.linked_bytes)} linked to the base's files" if report.linked_bytes else ""
    console.print(
        escape(
            f"{report.out}: {decimal(report.size_bytes)}, {decimal(report.changed_bytes)} changed{linked}, "
            f"in {seconds:.1f} s"
        ),
        soft_wrap=True,
    )
