"""`cogsym verify`: is this delta sound, is this its base, and does it merge to what was trained."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape

from toolkit.cli.console import out as console
from toolkit.cli.delta_input import bytes_progress, find_base, find_delta


def verify(
    delta: Annotated[str, typer.Argument(help="A delta file, the folder that holds it, or a Hub id.")],
    base: Annotated[str | None, typer.Option(help="Also check this base: a folder, a file, or a Hub id.")] = None,
    base_revision: Annotated[str | None, typer.Option(help="Commit of a base on the Hub.")] = None,
    revision: Annotated[str | None, typer.Option(help="Commit of a delta on the Hub.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Merge in memory and check every merged tensor.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: one per core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check every byte of a delta; with --base the base too, with --full the digest of every merged tensor.

    Example: cogsym verify runs/jav --base meta-llama/Llama-2-7b-hf --full
    """
    from toolkit.delta import verify
    from toolkit.delta.checkpoint import DEFAULT_THREADS

    path = find_delta(delta, revision)
    folder = find_base(path, base, base_revision) if base or full else None
    with bytes_progress() as progress:
        report = verify(path, folder, full=full, threads=threads or DEFAULT_THREADS, progress=progress)
    if as_json:
        console.print_json(
            json.dumps(
                {
                    "sound": True,
                    "tensors": report.tensors,
                    "chunks": report.chunks,
                    "base_checked": report.base_checked,
                    "merged_checked": report.merged_checked,
                    "sha256": report.info.sha256,
                    "base_fingerprint": report.info.base_fingerprint,
                    "merged_fingerprint": report.info.merged_fingerprint,
                }
            )
        )
        return
    lines = [f"sound: {report.tensors} tensors in {report.chunks} chunks, {decimal(report.info.size_bytes)}"]
    made_for = report.info.base
    lines.append(f"made for {made_for.id}" + (f" at {made_for.revision}" if made_for.revision else ""))
    if report.base_checked:
        lines.append("the base is that one, bit for bit")
    if report.merged_checked:
        lines.append("every merged tensor has its digest")
    console.print(escape("\n".join(lines)), soft_wrap=True)
