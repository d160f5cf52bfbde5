"""`cogsym evaluate`: score a base, and the same base with the delta on it, on held-out sentences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.console import err, out, quiet_libraries, steps_progress

if TYPE_CHECKING:
    from toolkit.records import EvaluationRecord
    from toolkit.run_folder import RunFolder


def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder, or the folder of a downloaded delta.")],
    tasks: Annotated[
        list[str] | None,
        typer.Option(help="Kinds (words) or names of tasks, * for any text (NusaX*); repeat for several; default all."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Rows per task, the first ones; default the recipe's.")] = None,
    repeats: Annotated[
        int, typer.Option(help="Draws of worked examples that a score is the mean of; without examples there is one.")
    ] = 1,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Another run over the same base to evaluate too and compare with; repeat for several."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Base that the delta was made for: pocket, a folder, or a Hub id.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="YAML file whose `evaluation:` names the test sets; default the run's own.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the worked examples of few-shot prompts.")] = 0,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Sentences at a time; default as memory allows.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Compute anew what was computed before.")] = False,
    reuse: Annotated[
        Path | None, typer.Option(help="Another evaluated run over the same base, to take the base's answers from.")
    ] = None,
    identifier: Annotated[
        str | None,
        typer.Option(
            envvar="COGSYM_IDENTIFIER",
            help="fastText model that tells the language of answers: a file, or lid.176; default GlotLID where it was "
            "downloaded, else lid.176.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the records as JSON.")] = False,
) -> None:
    """Score base and delta on the recipe's test sets: translation, words, sentiment, questions, plain text.

    The delta is read from disk and laid over the base: what is scored is what others will get. Interrupted work
    goes on where it stopped.

    Example: cogsym evaluate runs/jav --tasks translation --repeats 3 --against runs/jav-full
    """
    quiet_libraries()
    from toolkit.recipe import read_recipe
    from toolkit.run_folder import RunFolder

    records = evaluate_with_bar(
        RunFolder(run),
        recipe=read_recipe(recipe) if recipe else None,
        base=base,
        tasks=tuple(tasks or ()),
        limit=limit,
        repeats=repeats,
        against=[RunFolder(other) for other in against or ()],
        seed=seed,
        batch_size=batch_size,
        again=again,
        reuse=RunFolder(reuse) if reuse else None,
        identifier=identifier,
    )
    if as_json:
        out.print_json(json.dumps([record.model_dump() for record in records]))
        return
    from toolkit.cli.table import print_table, read_runs

    if against:
        tasks_now = {record.task for record in records}
        records = [record for record in read_runs([run, *against]) if record.task in tasks_now]
    print_table(records)
    err.print(f"records and samples are in {run}; next: cogsym card {run}", style="dim", soft_wrap=True)


def evaluate_with_bar(run: RunFolder, **options: Any) -> list[EvaluationRecord]:
    """Run `toolkit.evaluation.evaluate` under a progress bar that counts sentences."""
    from toolkit.evaluation import EvaluationStep, evaluate

    with steps_progress() as progress:
        bar = progress.add_task("evaluating", total=None, note="loading the base")

        def report(step: EvaluationStep) -> None:
            progress.update(
                bar,
                description=f"evaluating {step.model} {step.direction}",
                completed=step.sentences,
                total=step.total_sentences,
                note="rows answered",
            )

        return evaluate(run, report=report, **options)
