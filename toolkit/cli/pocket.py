"""`cogsym pocket`: the embedded phrasebook and base: write the corpus, or build the base again from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.cli.console import err, out, quiet_libraries, steps_progress

if TYPE_CHECKING:
    from toolkit.pocket.rebuild import Step

app = typer.Typer(no_args_is_help=True, help="The embedded phrasebook and the small base that was trained on it.")


@app.command()
def corpus(
    folder: Annotated[Path, typer.Argument(help="Folder for train.tsv, dev.tsv and test.tsv.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the phrasebook: English, Indonesian, Javanese and Sundanese sentences, split for training and testing."""
    from toolkit.pocket import sentences, write_corpus

    paths = write_corpus(folder)
    counts = {split: len(sentences(split)) for split in paths}
    if as_json:
        out.print_json(json.dumps({split: {"path": str(paths[split]), "rows": counts[split]} for split in paths}))
        return
    for split, path in paths.items():
        out.print(f"{path}: {counts[split]:,} sentences", soft_wrap=True)


@app.command()
def practice(
    file: Annotated[Path, typer.Argument(help="File to write, e.g. sentences.tsv.")],
) -> None:
    """Write sentence pairs in a language that nothing here knows (Esperanto), to try out how one is added."""
    from toolkit.pocket.esperanto import write_practice

    out.print(f"{file}: {write_practice(file):,} sentences in English and Esperanto", soft_wrap=True)


@app.command()
def rebuild(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps; default as shipped.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Default as shipped.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default all cores.")] = None,
) -> None:
    """Build the pocket base again: tokenizer and model, from the phrasebook alone (minutes on two cores)."""
    quiet_libraries()
    from toolkit.pocket import rebuild as building

    with steps_progress() as progress:
        task = progress.add_task("training the pocket base", total=steps or building.STEPS, note="")

        def report(step: Step) -> None:
            progress.update(task, completed=step.step, total=step.steps, note=f"loss {step.loss:.2f}")

        losses = building.rebuild(
            folder,
            seed=building.SEED if seed is None else seed,
            steps=steps or building.STEPS,
            threads=threads,
            progress=report,
        )
    recent = losses[-50:]
    out.print(
        f"{folder}: {len(losses):,} steps, loss {losses[0]:.2f} to {sum(recent) / len(recent):.2f}", soft_wrap=True
    )
    err.print(f"next: cogsym train --recipe pocket-jav --base {folder} --out runs/jav", style="dim")
