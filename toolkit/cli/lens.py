"""`cogsym lens`: which language a model is about to speak after each layer, base against adapted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from toolkit.cli.columns import read_columns
from toolkit.cli.console import err, out, quiet_libraries, ranking_progress

if TYPE_CHECKING:
    from toolkit.analysis.lens_record import LensRecord


def lens(
    text: Annotated[Path, typer.Option("--text", help="Sentences in several languages: tsv, csv, json or jsonl.")],
    to: Annotated[Path, typer.Option("--out", help="Folder for lens.json and the figures.")],
    delta: Annotated[
        str | None, typer.Argument(help="Run folder, downloaded delta, or Hub id; without one, --base is read alone.")
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", help="pocket, a folder, or a Hub id; default the one that the delta names.")
    ] = None,
    words: Annotated[
        Path | None, typer.Option("--words", help="Word lists to know the languages by; default the words of --text.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", help="Where they are not named by code: eng=english,jav=javanese.")
    ] = None,
    languages: Annotated[
        str | None, typer.Option("--languages", help="Languages to look for, e.g. eng,ind,jav; default all columns.")
    ] = None,
    direction: Annotated[
        list[str] | None,
        typer.Option(
            "--direction", help="What to ask for, e.g. 'eng>jav'; may come several times; default the delta's."
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=2, help="Rows to read, the first ones.")] = 200,
    prompt: Annotated[str | None, typer.Option("--prompt", help="Wording; default the delta's, else lines.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """See through a model's layers: the probability of each language, and how alike it holds translations.

    Example: cogsym lens runs/jav --text data/test.tsv --out lens
    """
    quiet_libraries()
    from toolkit.adaptation import refuse_existing
    from toolkit.analysis.lens import read_lens
    from toolkit.analysis.lens_figures import draw_lens
    from toolkit.analysis.parallel_text import read_text, read_words
    from toolkit.languages import own_code, own_direction
    from toolkit.pretrained import resolve_delta

    refuse_existing(to)
    wanted = tuple(own_code(code.strip()) for code in (languages or "").split(",") if code.strip())
    parallel = read_text(text, columns=read_columns(columns), languages=wanted, limit=limit)
    with ranking_progress(quiet=as_json) as report:
        record = read_lens(
            parallel,
            run=resolve_delta(delta) if delta is not None else None,
            base=base,
            words=read_words(words, parallel.languages) if words is not None else None,
            directions=tuple(map(own_direction, direction or ())),
            prompt=prompt,
            report=report,
        )
    record.write(to / "lens.json")
    draw_lens(record, to / "figures")
    if as_json:
        out.print_json(record.model_dump_json())
        return
    _print(record)
    err.print(f"numbers and figures are in {to}", style="dim", soft_wrap=True)


def _print(record: LensRecord) -> None:
    """A table per direction with a line per layer, and one for the similarities."""
    for direction in record.directions:
        curves = [curve for model in record.models if (curve := record.curve(model, direction)) is not None]
        out.print(f"[bold]asked for {direction}: probability of each language's words, in %[/]")
        table = _layer_table()
        for curve in curves:
            for language in record.languages:
                table.add_column(f"{curve.model} {language}", justify="right")
        for layer in range(record.base.n_layers + 1):
            cells = [
                f"{100 * curve.probability[language][layer]:.1f}" for curve in curves for language in record.languages
            ]
            table.add_row(_layer(layer), *cells)
        out.print(table)
    for model in record.models:
        curves_of_model = [each for each in record.alike if each.model == model]
        out.print(f"[bold]{model}: cosine similarity of translations, and of unrelated sentences[/]")
        table = _layer_table()
        for each in curves_of_model:
            table.add_column("-".join(each.languages), justify="right", no_wrap=True)
        for layer in range(record.base.n_layers + 1):
            cells = [f"{each.translations[layer]:.2f} {each.unrelated[layer]:.2f}" for each in curves_of_model]
            table.add_row(_layer(layer), *cells)
        out.print(table)
    tokens = ", ".join(
        f"{language} {count:,} tokens, which begin {record.coverage[language]:.0%} of its sentences"
        for language, count in record.telling_tokens.items()
    )
    out.print(f"{record.rows:,} rows of {escape(record.text)}; told apart by: {tokens}", style="dim", soft_wrap=True)


def _layer_table() -> Table:
    table = Table(box=None)
    table.add_column("layer", justify="right")
    return table


def _layer(number: int) -> str:
    return "emb" if number == 0 else str(number - 1)
