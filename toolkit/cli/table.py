"""`cogsym table`: the scores of one run or several, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import out, print_numbers
from toolkit.errors import EvaluationError

if TYPE_CHECKING:
    from toolkit.evaluation import Row
    from toolkit.records import EvaluationRecord


class Format(StrEnum):
    """How a table is written."""

    terminal = "terminal"
    markdown = "markdown"
    csv = "csv"
    latex = "latex"
    json = "json"


def table(
    runs: Annotated[list[Path], typer.Argument(help="Run folders that were evaluated.")],
    form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.terminal,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; the same as --format json.")] = False,
) -> None:
    """Compare the scores of runs.

    Example: cogsym table runs/jav-cogsym runs/jav-full --format markdown
    """
    from toolkit.evaluation.table import as_csv, as_latex, as_markdown, comparison_table

    records = read_runs(runs)
    if form is Format.terminal and not as_json:
        print_table(records)
        return
    rows = comparison_table(records)
    if as_json or form is Format.json:
        out.print_json(json.dumps([row.as_dict() for row in rows]))
    else:
        write = {Format.markdown: as_markdown, Format.csv: as_csv, Format.latex: as_latex}[form]
        typer.echo(write(rows), nl=False)


def read_runs(runs: Sequence[Path]) -> list[EvaluationRecord]:
    """The evaluation records of these runs; with several runs, an adapted model bears the name of its run.

    Raises:
        EvaluationError: if a run was not evaluated, or two runs have the same name.
    """
    from toolkit.run_folder import RunFolder

    names = [RunFolder(run).name for run in runs]
    if len(set(names)) < len(names):
        raise EvaluationError(f"two runs are called '{max(names, key=names.count)}'", "rename the folder of one")
    records = []
    for run, name in zip(runs, names, strict=True):
        found = RunFolder(run).read_evaluations()
        if not found:
            raise EvaluationError(f"{run} holds no evaluation", f"make one: cogsym evaluate {run}")
        records += [
            record.model_copy(update={"model": name}) if len(runs) > 1 and record.model == "adapted" else record
            for record in found
        ]
    return records


def _by_test_set(rows: Sequence[Row]) -> dict[tuple[str, int, int, int], list[Row]]:
    """The rows of each test set with its size, worked examples and draws of them, in the order of the rows."""
    groups: dict[tuple[str, int, int, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.dataset, row.n, row.shots, row.draws), []).append(row)
    return groups


def _against(rows: Sequence[Row]) -> list[str]:
    """How far runs differ from each other, where an evaluation has compared them."""
    from toolkit.evaluation.table import SIGNIFICANT

    lines = []
    for row in rows:
        for model, score in row.scores.items():
            for other, p_value in score.against.items():
                sure = "may be noise" if p_value >= SIGNIFICANT else "more than noise"
                lines.append(f"{row.what} {row.metric}: {model} against {other}: {sure} (p = {p_value:.3f})")
    return lines


def print_table(records: Sequence[EvaluationRecord]) -> None:
    """Print the comparison with its intervals, and below it what the marks mean."""
    from toolkit.evaluation.table import cells, comparison_table

    rows = comparison_table(records)
    for (dataset, n, shots, draws), group in _by_test_set(rows).items():
        examples = f", {shots} worked examples in each prompt" if shots else ""
        examples += f", mean of {draws} draws of them" if draws > 1 else ""
        rows_or_sentences = "sentences" if all(row.kind == "translation" for row in group) else "rows"
        out.print(f"{dataset}: {n:,} {rows_or_sentences}{examples}", markup=False)
        heading, lines = cells(group)
        printed = Table(box=None, header_style="bold")
        for title in heading[2:]:  # test set and size are said above, so that the table fits a narrow terminal
            printed.add_column(title, justify="left" if title in ("what", "metric") else "right", no_wrap=True)
        for line in lines:
            printed.add_row(*map(escape, line[2:]))
        print_numbers(printed)
        out.print()
    out.print(
        "[a, b]: 95% bootstrap interval; ~: may be noise (paired bootstrap, p >= 0.05)", style="dim", markup=False
    )
    for comparison in _against(rows):
        out.print(comparison, markup=False)
    for caution in dict.fromkeys(score.caution for row in rows for score in row.scores.values() if score.caution):
        out.print(caution, style="yellow", markup=False)
    for signature in dict.fromkeys(row.signature for row in rows):
        out.print(signature, style="dim", markup=False, soft_wrap=True)
