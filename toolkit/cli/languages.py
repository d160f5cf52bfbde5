"""`cogsym languages`: the languages that the toolkit knows, and the check of a file that adds one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import err, out

if TYPE_CHECKING:
    from toolkit.languages import Language
    from toolkit.languages.entries import DataSet, EvaluationSet

app = typer.Typer(no_args_is_help=True, help="List, find, show and check languages.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List every language of the registry, and those whose files lie in this folder."""
    from toolkit.languages import all_languages, look_in

    look_in(Path.cwd())
    languages = all_languages().values()
    if as_json:
        out.print_json(json.dumps([language.model_dump(mode="json") for language in languages]))
        return
    table = Table("code", "English name", "own name", "script", "spoken in", box=None)
    table.add_column("speakers", justify="right")
    table.add_column("models", justify="right")
    for language in languages:
        where = re.sub(r" \([^)]*\)", "", language.spoken_in or "")  # the countries, without their regions
        cells = (language.code, language.names.english, language.names.own, language.script, where)
        models = str(len(language.models)) if language.models else ""
        table.add_row(*map(escape, cells), _rounded(language), models)
    out.print(table)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="A name in any language or spelling, a code, or a country.")],
    as_json: Json = False,
) -> None:
    """Find a language without knowing its code."""
    from toolkit.languages import all_languages, look_in, search_languages
    from toolkit.languages.codes import named

    look_in(Path.cwd())
    found = search_languages(text, all_languages().values())
    if as_json:
        matches = [
            {
                "code": match.language.code,
                "field": match.field,
                "value": match.value,
                "likeness": round(match.likeness, 2),
            }
            for match in found
        ]
        out.print_json(json.dumps(matches))
        return
    if not found:
        codes = " or ".join(f"{code} ({name})" for code, name in named(text))
        iso = f"; ISO 639-3 has {codes}" if codes else ""
        err.print(escape(f"nothing found for {text}{iso}; to add it: `cogsym languages new`"), soft_wrap=True)
        return
    table = Table("code", "English name", "own name", "found by", box=None)
    for match in found:
        names = match.language.names
        table.add_row(*map(escape, (match.language.code, names.english, names.own, f"{match.field}: {match.value}")))
    out.print(table)


@app.command()
def show(code: Annotated[str, typer.Argument(help="ISO 639-3 code, e.g. jav")], as_json: Json = False) -> None:
    """Show everything that the registry says about one language."""
    from toolkit.languages import get_language

    language = get_language(code)
    if as_json:
        out.print_json(language.model_dump_json())
        return
    out.print(f"[bold]{escape(language.names.own)}[/] · {escape(language.names.english)} · {language.code}\n")
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    for name, value in _facts(language):
        facts.add_row(name, escape(value))
    out.print(facts)
    _show_sources("data to learn from", language.data)
    _show_sources("test sets", language.evaluation)
    if language.models:
        out.print("\n[bold]models[/]")
        for model in language.models:
            out.print(f"  {escape(model.repository)} @ {model.revision[:12]}, on {escape(model.base)}", soft_wrap=True)
    for person in language.contributors:
        out.print(f"\nthanks to {escape(person.name)} ({', '.join(person.roles)})", soft_wrap=True)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="YAML files, each named by its code, e.g. ban.yaml")],
    as_json: Json = False,
) -> None:
    """Check language files before you send them: YAML, fields, codes, script, licences. Nothing in them is run."""
    from toolkit.languages import all_languages
    from toolkit.languages.checking import check_language_file

    problems = {str(file): check_language_file(file, all_languages()) for file in files}
    if as_json:
        out.print_json(json.dumps({file: [problem.as_dict() for problem in found] for file, found in problems.items()}))
    else:
        for file, found in problems.items():
            for problem in found:
                err.print(f"[bold red]error:[/] {escape(str(problem))}", soft_wrap=True)
                err.print(f"[bold]hint:[/] {escape(problem.fix)}", soft_wrap=True)
            if not found:
                out.print(f"{escape(file)}: fine", soft_wrap=True)
    if any(problems.values()):
        raise typer.Exit(1)


def _facts(language: Language) -> list[tuple[str, str]]:
    codes = [language.code, language.iso639_1, language.glottocode, *language.other_codes]
    speakers = language.speakers
    when = f" ({speakers.year})" if speakers and speakers.year else ""
    facts = (
        ("codes", ", ".join(code for code in codes if code)),
        ("on the Hub", language.hub_code or "no code: the Hub knows ISO 639 only"),
        ("script", f"{language.script}, {'right to left' if language.direction == 'rtl' else 'left to right'}"),
        ("variety", language.variety),
        ("also called", ", ".join(language.names.aliases)),
        ("in prompts", language.names.in_prompts),
        ("spoken in", language.spoken_in),
        ("speakers", speakers and f"{speakers.count:,}{when}; {speakers.source}"),
        ("related", ", ".join(language.related)),
        ("try", "; ".join(f"{pair.direction}: {pair.text} → {pair.expected}" for pair in language.smoke)),
    )
    return [(name, value) for name, value in facts if value]


def _show_sources(title: str, sources: tuple[DataSet, ...] | tuple[EvaluationSet, ...]) -> None:
    if not sources:
        return
    out.print(f"\n[bold]{title}[/]")
    for source in sources:
        rows = f", {source.rows:,} rows" if source.rows else ""
        out.print(f"  {escape(source.name)} ({source.kind}{rows}; {escape(source.licence)})", soft_wrap=True)
        where = [f"hub {source.hub} {source.config or ''}".rstrip()] if source.hub else []
        where += [source.url] if source.url else []
        if suite := getattr(source, "suite", None):
            where.append(f"cogsym evaluate --suite {suite}")
        for line in (*where, *source.files, source.note):
            if line:
                out.print(f"    [dim]{escape(line)}[/]", soft_wrap=True)


def _rounded(language: Language) -> str:
    """84 million, 890 thousand; the exact figure and who gives it are on the language's own page."""
    if language.speakers is None:
        return ""
    count = language.speakers.count
    for size, word in ((1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand")):
        if count >= size:
            return f"{float(f'{count / size:.2g}' if count < 100 * size else f'{count / size:.0f}'):g} {word}"
    return str(count)
