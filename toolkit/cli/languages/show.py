"""`cogsym languages show`: everything that the registry says about one language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from toolkit.cli.console import out
from toolkit.cli.languages.options import Json

if TYPE_CHECKING:
    from toolkit.languages import Language
    from toolkit.languages.entries import DataSet, EvaluationSet


def show(code: Annotated[str, typer.Argument(help="ISO 639-3 code, e.g. jav")], as_json: Json = False) -> None:
    """Show everything that the registry says about one language."""
    from toolkit.languages import get_language, own_code

    language = get_language(own_code(code))
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
