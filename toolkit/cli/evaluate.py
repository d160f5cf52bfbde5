"""`cogsym evaluate`: score a base, and the same base with the delta on it, on held-out sentences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.console import err, out, quiet_libraries, steps_progress

SUITES = ("belebele", "flores", "m3exam", "mgsm", "mmlu", "nusax")  # a test holds this to `toolkit.test_sets.suites`

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.records import EvaluationRecord
    from toolkit.run_folder import RunFolder
    from toolkit.test_sets import TestSet


def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder, or the folder of a downloaded delta.")],
    tasks: Annotated[
        list[str] | None,
        typer.Option(help="Kinds (words) or names of tasks, * for any text (NusaX*); repeat for several; default all."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Rows per task, the first ones; default the recipe's.")] = None,
    repeats: Annotated[
        int,
        typer.Option(
            help="Draws of worked examples that a score is the mean of, at least: those made before count too."
        ),
    ] = 1,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Another run over the same base to evaluate too and compare with; repeat for several."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Base that the delta was made for: pocket, a folder, or a Hub id.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(help="YAML file whose `evaluation:` names test sets; default the run's own recipe."),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(help=f"Test sets known by name, instead: {', '.join(SUITES)}; repeat for several."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the files of the suites that need some.")] = None,
    allow_leak: Annotated[
        bool, typer.Option("--allow-leak", help="Score test sets that the run was trained on too; the scores say so.")
    ] = False,
    comet: Annotated[
        str | None,
        typer.Option(help="COMET model for translations: Hub id, folder, .ckpt; default the usual one if installed."),
    ] = None,
    no_comet: Annotated[bool, typer.Option("--no-comet", help="Leave COMET out although it is installed.")] = False,
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
    from toolkit.run_folder import RunFolder

    folder = RunFolder(run)
    folder.refuse_what_is_no_delta()
    records = evaluate_with_bar(
        folder,
        tests=_tests(folder, recipe, suite or [], data),
        base=base,
        tasks=tuple(tasks or ()),
        limit=limit,
        repeats=repeats,
        against=[RunFolder(other) for other in against or ()],
        allow_leak=allow_leak,
        comet=None if no_comet else comet or _installed_comet(),
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
    for words in dict.fromkeys(record.left_out for record in records if record.left_out):
        err.print(words, style="yellow", markup=False, soft_wrap=True)
    print_table(records)
    err.print(f"records and samples are in {run}; next: cogsym card {run}", style="dim", soft_wrap=True)


def _tests(run: RunFolder, recipe: Path | None, suites: list[str], data: Path | None) -> Sequence[TestSet] | None:
    """The test sets asked for; None for the run's own."""
    from toolkit.pretrained import resolve_delta
    from toolkit.recipe import read_tests
    from toolkit.test_sets.suites import suite

    if recipe is None and not suites:
        return None
    tests = [*read_tests(recipe)] if recipe else []
    if suites:
        language = resolve_delta(run.root).read_config().language
        tests += [test for name in suites for test in suite(name, language, data)]
    return tests


def _installed_comet() -> str | None:
    """The usual COMET model, where COMET is installed."""
    from toolkit.evaluation.comet import DEFAULT_MODEL
    from toolkit.evaluation.comet.environment import look

    return DEFAULT_MODEL if look().python else None


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

        def report_judging(words: str, sentences: int) -> None:
            if not sentences:  # something begins that has a total of its own, or none
                progress.update(bar, completed=0, total=None)
            progress.update(bar, description="judging by COMET", note=words, advance=sentences)

        return evaluate(run, report=report, report_judging=report_judging, **options)
