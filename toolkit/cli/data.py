"""`cogsym data`: look at a corpus before it trains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import err, out
from toolkit.errors import CorpusError, OutputError

if TYPE_CHECKING:
    from toolkit.auditing import Audit, Finding

app = typer.Typer(no_args_is_help=True, help="Look at your sentences before a model learns them.")

_WORDS = {"stop": "[bold red]mend[/]", "drop": "[yellow]left out[/]", "look": "look"}
_PLACES = 3
_MOST_LOOKS = 8  # the report has them all


@app.callback()
def data() -> None:
    """Look at your sentences before a model learns them."""


@app.command()
def audit(
    file: Annotated[Path, typer.Argument(help="tsv, csv, json, jsonl or txt file.")],
    language: Annotated[str, typer.Option(help="ISO 639-3 code of the language to learn, e.g. ban.")],
    beside: Annotated[
        list[str] | None,
        typer.Option("--with", help="Language beside it, e.g. eng; default those that columns are named by."),
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
    names = None if header is None else [name.strip() for name in header.split(",")]
    chosen, languages = _what_it_holds(file, language, beside or [], kind, names, _pairs(columns))
    with err.status(f"reading {escape(file.name)}"):
        found = look_at(
            file,
            languages,
            kind=chosen,  # type: ignore[arg-type]
            columns=_pairs(columns),
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
        _print(found, report)
    if found.stops:
        raise typer.Exit(1)


def _what_it_holds(
    file: Path, language: str, beside: list[str], kind: str | None, header: list[str] | None, columns: dict[str, str]
) -> tuple[str, list[str]]:
    from toolkit.auditing.guessing import guess_kind, guess_others

    chosen = kind or ("parallel" if beside else guess_kind(file, header))
    if chosen not in ("parallel", "text", "instructions"):
        raise CorpusError(f"--kind {chosen} is no kind of data", "use parallel, text or instructions")
    if chosen != "parallel":
        return chosen, [language]
    others = beside or [code for code in columns if code != language] or list(guess_others(file, language, header))[:1]
    if not others:
        raise CorpusError(
            f"which language stands beside {language} in {file.name}?", "add --with CODE, e.g. --with eng"
        )
    return chosen, [language, *others]


def _pairs(text: str | None) -> dict[str, str]:
    """`ban=Balinese,eng=English` as a mapping."""
    pairs: dict[str, str] = {}
    for part in (text or "").split(","):
        code, equals, column = (piece.strip() for piece in part.partition("="))
        if equals and code and column:
            pairs[code] = column
        elif part.strip():
            raise CorpusError(f"--columns: '{part.strip()}' names no column", "write it so: ban=Balinese,eng=English")
    return pairs


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


def _print(found: Audit, report: Path | None) -> None:
    read_as = ", ".join(f"{code} from '{column}'" for code, column in found.columns.items() if code != column)
    out.print(
        f"[bold]{escape(found.name)}[/]: {found.rows:,} rows, {found.usable:,} of them usable"
        + (f" ({escape(read_as)})" if read_as and found.kind == "parallel" else ""),
        soft_wrap=True,
    )
    looks = [finding for finding in found.findings if finding.severity == "look"]
    shown = [finding for finding in found.findings if finding.severity != "look"] + looks[:_MOST_LOOKS]
    if shown:
        table = Table(box=None, padding=(0, 2, 1, 0))
        table.add_column("")
        table.add_column("rows", justify="right")
        table.add_column("what, and what to do")
        table.add_column("first", no_wrap=True)
        for finding in shown:
            table.add_row(_WORDS[finding.severity], _count(finding), _told(finding), escape(_where(finding)))
        out.print(table)
    if len(looks) > _MOST_LOOKS:
        more = "" if report else ": add --report report.html"
        out.print(f"[dim]{len(looks) - _MOST_LOOKS} smaller things to look at are in the report{more}[/]")
    if not found.findings:
        out.print("[green]nothing wrong was found[/]")
    judged, _, known = found.expectation.partition("\n\n")
    out.print(f"\n{escape(judged)}\n[dim]{escape(known)}[/]")
    unheard = [side.name for side in found.sides if side.identified is not None and side.identified.share is None]
    if unheard:
        said = (
            f"{found.identifier} does not know {' or '.join(unheard)}: whether the sentences are in it was not checked"
        )
        err.print(f"[dim]{escape(said)}[/]", soft_wrap=True)
    if found.identifier is None:
        err.print("[dim]languages were not identified: pip install 'cogsym-toolkit[langid]'[/]")
    if report is not None:
        err.print(f"report: {escape(str(report))}", soft_wrap=True)


def _told(finding: Finding) -> str:
    return f"{escape(finding.message)}\n[dim]{escape(finding.fix)}[/]"


def _count(finding: Finding) -> str:
    return "" if finding.share is None else f"{finding.count:,}"


def _where(finding: Finding) -> str:
    return "\n".join(place for place, _ in finding.examples[:_PLACES])
