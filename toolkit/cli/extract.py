"""`cogsym extract`: what changed between a base and trained weights, as a small exact delta."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape

from toolkit.cli.console import out as console
from toolkit.cli.delta_input import bytes_progress


def extract(
    base: Annotated[str, typer.Argument(help="The unmodified model: a folder, a .safetensors file, or a Hub id.")],
    trained: Annotated[Path, typer.Argument(help="The trained weights, all or only the changed tensors.")],
    out: Annotated[Path, typer.Option(help="The delta.safetensors to write.")] = Path("delta.safetensors"),
    base_revision: Annotated[str | None, typer.Option(help="Commit of a base on the Hub.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: one per core.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a delta that exists already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare a base with trained weights and write what changed, exactly.

    Example: cogsym extract meta-llama/Llama-2-7b-hf trained/ --out delta.safetensors
    """
    from toolkit.delta import extract, read_base_info
    from toolkit.delta.checkpoint import DEFAULT_THREADS
    from toolkit.pretrained import resolve_base

    folder = Path(base) if Path(base).is_file() else resolve_base(base, base_revision)
    is_id = not Path(base).exists()
    base_info = read_base_info(folder, base, base_revision) if is_id else None
    with bytes_progress() as progress:
        info = extract(
            folder,
            trained,
            out,
            base_info=base_info,
            threads=threads or DEFAULT_THREADS,
            progress=progress,
            overwrite=overwrite,
        )
    if as_json:
        console.print_json(info.model_dump_json())
        return
    console.print(
        escape(
            f"{out.parent / info.file}: {decimal(info.size_bytes)}, {len(info.tensors)} tensors changed, "
            f"{info.bits_per_weight:.2f} bits per weight\nsha256 {info.sha256}"
        ),
        soft_wrap=True,
    )
