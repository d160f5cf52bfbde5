"""`cogsym comet`: the environment that COMET scores need, and scores of a file of samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import err, out, steps_progress

app = typer.Typer(no_args_is_help=True, help="COMET scores, from an environment of their own.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def install(
    python: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Python 3.11 or 3.12 to build it from; default this one."),
    ] = None,
) -> None:
    """Install COMET into an environment of its own: once, in a minute or two, over the network.

    It takes 1.5 GB of disk, or several more where pip brings PyTorch with CUDA. COGSYM_COMET_HOME says where it
    goes, and where it is looked for; the default is the user's cache. What pip needs to know (an index, a proxy) it
    takes from its own settings.
    """
    from toolkit.evaluation.comet.environment import install

    with err.status("installing COMET") as status:
        last = ""

        def report(line: str) -> None:
            nonlocal last
            last = line
            if err.is_terminal:
                status.update(f"installing COMET [dim]{escape(line[:100])}[/]")
            else:
                err.print(line, markup=False, style="dim", soft_wrap=True)

        environment = install(python=python, report=report)
    if not last:
        err.print("nothing to do", style="dim")
    versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
    out.print(f"{environment.folder or environment.state}: {versions}", soft_wrap=True)


@app.command()
def status(as_json: Json = False) -> None:
    """Show where COMET is, in which versions, and whether its model is in the cache."""
    from toolkit.evaluation.comet.environment import INSTALL_COMMAND, look, pinned_version
    from toolkit.evaluation.comet.models import DEFAULT_MODEL, look_into_cache

    environment, cached = look(), look_into_cache(DEFAULT_MODEL)
    if as_json:
        facts = {
            "state": environment.state,
            "folder": str(environment.folder) if environment.folder else None,
            "python": str(environment.python) if environment.python else None,
            "versions": environment.versions,
            "model": DEFAULT_MODEL,
            "model_cached": cached.checkpoint,
            "encoder": cached.encoder,
            "encoder_cached": cached.encoder_here,
        }
        out.print_json(json.dumps(facts))
        return
    table = Table(box=None, show_header=False)
    table.add_row("environment", environment.state)
    if environment.folder:
        table.add_row("folder", str(environment.folder))
    for name, version in environment.versions.items():
        table.add_row(name, version)
    table.add_row(DEFAULT_MODEL, "in the cache" if cached.checkpoint else "downloaded when first used (2.3 GB)")
    if cached.encoder:
        table.add_row(f"its tokenizer, {cached.encoder}", "in the cache" if cached.encoder_here else "not in the cache")
    out.print(table, soft_wrap=True)
    if environment.python is None:
        err.print(f"next: {INSTALL_COMMAND} (unbabel-comet {pinned_version()})", style="dim")


@app.command()
def score(
    samples: Annotated[Path, typer.Argument(help="File with a JSON object per line: source, hypothesis, reference.")],
    model: Annotated[
        str | None, typer.Option(help="Hub id, folder or .ckpt of a COMET model; default Unbabel/wmt22-comet-da.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Segments at a time.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print every segment's score too, as JSON.")] = False,
) -> None:
    """Score a file of samples, such as a run's `samples/*.jsonl`.

    Example: cogsym comet score runs/jav/samples/test_eng_jav.adapted.jsonl
    """
    from toolkit.evaluation.comet import DEFAULT_MODEL, CometScorer
    from toolkit.evaluation.comet.segments import read_segments

    segments = read_segments(samples)
    with steps_progress() as progress:
        bar = progress.add_task("scoring", total=len(segments), note="starting")
        with CometScorer(model or DEFAULT_MODEL, stage=lambda words: progress.update(bar, note=words)) as scorer:
            progress.update(bar, note="segments scored")
            scores = scorer.score(segments, batch_size=batch_size, report=lambda n: progress.advance(bar, n))
    if as_json:
        facts = {"score": scores.mean, "signature": scores.signature, "n": len(segments), "values": scores.values}
        out.print_json(json.dumps(facts))
        return
    out.print(f"{scores.mean:.4f}  {scores.signature}  n:{len(segments)}", markup=False, soft_wrap=True)
