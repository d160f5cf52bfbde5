"""`cogsym data`: look at a corpus before it trains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from toolkit.cli.audit_view import print_audit
from toolkit.cli.columns import read_columns, read_header
from toolkit.cli.console import err, out
from toolkit.errors import CorpusError, OutputError

if TYPE_CHECKING:
    from toolkit.auditing import Audit

app = typer.Typer(no_args_is_help=True, help="Look at your sentences before a model learns them.")


@app.callback()
def data() -> None:
    """Look at your sentences before a model learns them."""


@app.command()
def audit(
    file: Annotated[Path, typer.Argument(help="tsv, csv, json, jsonl or txt file.")],
    language: Annotated[str, typer.Option(help="ISO 639-3 code of the language to learn, e.g. ban.")],
    beside: Annotated[
        list[str] | None,
        typer.Option("--with", help="Language beside it; default eng, or the only other one that has a column."),
    ] = None,
    columns: Annotated[str | None, typer.Option(help="Column of each language: ban=Balinese,eng=English.")] = None,
    header: Annotated[str | None, typer.Option(help="Names of the columns, where the file has none: ban,eng.")] = None,
    kind: Annotated[str | None, typer.Option(help="parallel, text or instructions; default by the file.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Base whose tokens to count: pocket, a folder, or a Hub id that was downloaded.")
    ] = None,
    test: Annotated[
        list[Path] | None, typer.Option(help="Test set that must not be in the file; may come several times.")
    ] = None,
    bad_rows: Annotated[
        str, typer.Option(help="Rows that cannot be read: stop, or drop, as your recipe says.")
    ] = "stop",
    report: Annotated[Path | None, typer.Option(help="Write all of it to a page (.html) or a text (.md).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what is wrong with a corpus, with line numbers, and what to expect of it.

    Example: cogsym data audit sentences.csv --language ban --with eng --report report.html
    """
    from toolkit.auditing import audit as look_at

    if bad_rows not in ("stop", "drop"):
        raise CorpusError(f"--bad-rows {bad_rows} is neither stop nor drop", "write one of them")
    from toolkit.languages import own_code

    names, language = read_header(header), own_code(language)
    named = read_columns(columns)
    chosen, languages = _what_it_holds(file, language, [*map(own_code, beside or [])], kind, names, named)
    with err.status(f"reading {escape(file.name)}"):
        found = look_at(
            file,
            languages,
            kind=chosen,  # type: ignore[arg-type]
            columns=named,
            header=names,
            base=None if base is None else _folder_of(base),
            tests=test or [],
            on_bad_row=bad_rows,  # type: ignore[arg-type]
        )
    if report is not None:
        _write(found, report)
    if as_json:
        out.print_json(found.model_dump_json())
    else:
        print_audit(found, out, more="the report" if report else "the report: add --report report.html")
        if report is not None:
            err.print(f"report: {escape(str(report))}", soft_wrap=True)
    if found.stops:
        raise typer.Exit(1)


def _what_it_holds(
    file: Path,
    language: str,
    beside: list[str],
    kind: str | None,
    header: tuple[str, ...] | None,
    columns: dict[str, str],
) -> tuple[str, list[str]]:
    from toolkit.auditing.guessing import guess_kind, guess_others

    chosen = kind or ("parallel" if beside else guess_kind(file, header))
    if chosen not in ("parallel", "text", "instructions"):
        raise CorpusError(f"--kind {chosen} is no kind of data", "use parallel, text or instructions")
    if chosen != "parallel":
        return chosen, [language]
    others = beside or [code for code in columns if code != language]
    guessed = () if others else guess_others(file, language, header)
    if len(guessed) > 1 and guessed[0] != "eng":
        raise CorpusError(
            f"{file.name}: which language is on the other side? It has {', '.join(guessed)}",
            f"name it: --with {guessed[0]}",
        )
    others = others or list(guessed[:1])
    if not others:
        raise CorpusError(
            f"which language stands beside {language} in {file.name}?", "add --with CODE, e.g. --with eng"
        )
    return chosen, [language, *others]


def _folder_of(base: str) -> Path:
    from toolkit.pretrained import resolve_base

    folder = Path(base)
    return folder if folder.is_dir() else resolve_base(base, local_files_only=True)


def _write(found: Audit, report: Path) -> None:
    from toolkit.auditing.report import write_report

    try:
        write_report(found, report)
    except OSError as error:
        raise OutputError(f"{report} cannot be written: {error.strerror}", "name another place") from error
