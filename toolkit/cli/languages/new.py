"""`cogsym languages new`: adds a language, with questions or with flags, and a recipe to begin with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.prompt import Confirm

from toolkit.cli.console import err, out
from toolkit.errors import CogsymError, LanguageError


def new(
    code: Annotated[str | None, typer.Option(help="ISO 639-3 code; qaa to qtz for a language that has none.")] = None,
    english: Annotated[str | None, typer.Option("--name", help="English name; default as ISO 639 has it.")] = None,
    own: Annotated[str | None, typer.Option("--own-name", help="What its speakers call it, accents and all.")] = None,
    alias: Annotated[list[str] | None, typer.Option(help="Another name; may come several times.")] = None,
    script: Annotated[str | None, typer.Option(help="ISO 15924 code, e.g. Latn; default the usual one.")] = None,
    glottocode: Annotated[str | None, typer.Option(help="Code in Glottolog; needed where ISO has none.")] = None,
    variety: Annotated[str | None, typer.Option(help="Which variety or standard is meant.")] = None,
    spoken_in: Annotated[str | None, typer.Option(help="Where it is spoken.")] = None,
    speakers: Annotated[int | None, typer.Option(min=0, help="How many people speak it.")] = None,
    speakers_year: Annotated[int | None, typer.Option(help="The year of that figure.")] = None,
    speakers_source: Annotated[str | None, typer.Option(help="Who gives that figure, and what was counted.")] = None,
    related: Annotated[list[str] | None, typer.Option(help="Code of a related language; several times.")] = None,
    smoke: Annotated[
        list[str] | None, typer.Option(help="'English sentence = its translation', short; may come several times.")
    ] = None,
    contributor: Annotated[str | None, typer.Option(help="Your name, as you wish to be thanked.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Your sentence pairs: tsv, csv, json or jsonl. Makes a recipe to begin with.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns that bear other names, CODE=COLUMN,...: ilo=iloko,eng=english.")
    ] = None,
    other: Annotated[str | None, typer.Option("--with", help="Code of the other side of the pairs.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of your data as the Hub spells it.")] = None,
    origin: Annotated[
        str | None, typer.Option(help="written, human translation, machine translation or phrasebook.")
    ] = None,
    test_rows: Annotated[int | None, typer.Option(min=1, help="Rows to test on; default about a tenth.")] = None,
    base: Annotated[str, typer.Option(help="pocket, a folder, or a Hub id.")] = "meta-llama/Llama-2-7b-hf",
    to: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path(),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: flags and defaults say all.")] = False,
) -> None:
    """Add a language: answer a few questions, or give everything as flags. Nothing that is there is overwritten.

    Writes CODE.yaml, and with --data also CODE-recipe.yaml with data/train.tsv and data/test.tsv.

    Example: cogsym languages new --code ilo --own-name Ilokano --data my.tsv --yes
    """
    from toolkit.cli.languages.asking import Answers, ask_code, ask_data, ask_licence, fill_in
    from toolkit.contributions.starting import file_text, is_known, known_where, refuse_file, write_language

    asks = not yes and sys.stdin.isatty()
    answers = Answers(
        {
            "names.english": english,
            "names.own": own,
            "names.aliases": alias,
            "script": script,
            "glottocode": glottocode,
            "variety": variety,
            "spoken_in": spoken_in,
            "speakers.count": speakers,
            "speakers.year": speakers_year,
            "speakers.source": speakers_source,
            "related": related,
            "smoke": smoke,
            "contributors": contributor,
        }
    )
    try:
        if code is None:
            if not asks:
                raise LanguageError("which language is it?", "add --code, e.g. --code ilo")
            code = ask_code()
        answers.code = code
        if is_known(code, to):
            known = f"{code} is known already: {known_where(code)}"
            if asks:
                err.print(escape(f"{known}; so this makes a recipe for it"), soft_wrap=True)
            data = data or (ask_data() if asks else None)
            if data is None:
                raise LanguageError(known, "mend or extend that file; for a recipe, add --data FILE")
        else:
            refuse_file(code, to)
            text = file_text(fill_in(answers, asks))
            out.print(text, markup=False, soft_wrap=True, end="")
            data = data or (ask_data() if asks else None)
            where = escape(str(to / f"{code}.yaml"))
            if asks and not Confirm.ask(f"Write this to {where}?", console=err, default=True):
                raise KeyboardInterrupt
            path = write_language(text, code, to)
            err.print(f"[green]wrote[/] {escape(str(path))}", soft_wrap=True)
    except (KeyboardInterrupt, EOFError):
        _say_how_to_go_on(answers)
        raise typer.Exit(130) from None
    if data is None:
        err.print(
            f"next, with sentence pairs: cogsym languages new --code {code} --data my.tsv; to send the file: "
            "CONTRIBUTING.md",
            style="dim",
            soft_wrap=True,
        )
        return
    try:
        licence = licence or (ask_licence() if asks else None)
        options = {"other": other, "licence": licence, "origin": origin, "test_rows": test_rows, "base": base}
        _make_recipe(data, code, to, columns, asks, **options)
    except (KeyboardInterrupt, EOFError):
        err.print(f"\nstopped; to go on: cogsym languages new --code {code} --data {escape(str(data))}", style="yellow")
        raise typer.Exit(130) from None


def _make_recipe(data: Path, code: str, folder: Path, columns: str | None, asks: bool, **options: Any) -> None:
    from toolkit.cli.columns import read_columns
    from toolkit.cli.languages.asking import ask_columns
    from toolkit.contributions.starter_recipe import write_starter

    try:
        with err.status(f"splitting {escape(data.name)}"):
            starter = write_starter(data, code, folder, columns=read_columns(columns), **options)
    except CogsymError as error:
        if asks and "--columns" in (error.hint or ""):
            _make_recipe(data, code, folder, ask_columns(error, code), asks, **options)
            return
        again = f"; then `cogsym languages new --code {code} --data {data}` goes on from here"
        raise type(error)(error.message, f"{error.hint or 'mend that'}{again}") from error
    split = starter.split
    for path, rows in ((split.train, f"{split.train_rows:,} rows"), (split.test, f"{split.test_rows:,} rows")):
        err.print(f"[green]wrote[/] {escape(str(path))} ({rows})", soft_wrap=True)
    for reason, count in split.dropped.items():
        err.print(escape(f"  {count:,} rows left out: {reason}"))
    err.print(f"[green]wrote[/] {escape(str(starter.recipe))}", soft_wrap=True)
    err.print(escape(f"next: cogsym plan --recipe {starter.recipe}"), style="dim", soft_wrap=True)


def _say_how_to_go_on(answers: Any) -> None:
    err.print("\nstopped; nothing was written", style="yellow")
    if answers.code:
        err.print(escape(f"to go on with what you said: {answers.as_command()}"), soft_wrap=True)
