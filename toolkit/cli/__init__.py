"""The command `cogsym`: one verb, one file; each parses, calls one library function, and prints."""

from __future__ import annotations

import errno
import sys
from inspect import cleandoc
from typing import Annotated

import typer

from toolkit import __version__
from toolkit.cli import (
    adapt,
    card,
    comet,
    data,
    demo,
    doctor,
    evaluate,
    extract,
    index,
    inspect,
    languages,
    lens,
    merge,
    plan,
    pocket,
    publish,
    pull,
    recipes,
    search,
    select,
    space,
    sweep,
    table,
    train,
    translate,
    verify,
)
from toolkit.cli.console import report_error
from toolkit.errors import CogsymError, OutputError

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EFBIG)

app = typer.Typer(
    name="cogsym",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="First time here? Run `cogsym demo`: it teaches a small model Javanese on this machine in minutes.",
)


def _in_paragraphs(text: str) -> str:
    """A docstring as help: its lines end where the terminal's do, but for those that are indented or listed."""
    paragraphs = cleandoc(text).split("\n\n")
    return "\n\n".join(
        each if any(line.startswith((" ", "- ", "\b")) for line in each.splitlines()) else " ".join(each.split())
        for each in paragraphs
    )


START, MAKE, USE, LOOK = "Start here", "Make a language", "Use a language", "Look inside"

# In the order in which a newcomer meets them.
for panel, verbs in (
    (START, (demo.demo, doctor.doctor)),
    (
        MAKE,
        (
            adapt.adapt,
            recipes.recipes,
            select.select,
            plan.plan,
            train.train,
            extract.extract,
            evaluate.evaluate,
            card.card,
            publish.publish,
        ),
    ),
    (USE, (search.search, pull.pull, verify.verify, merge.merge, translate.translate)),
    (LOOK, (inspect.inspect, table.table, lens.lens, index.index)),
):
    for verb in verbs:
        app.command(rich_help_panel=panel, help=_in_paragraphs(verb.__doc__ or ""))(verb)
app.add_typer(data.app, name="data", rich_help_panel=MAKE)
app.add_typer(space.app, name="space", rich_help_panel=USE)
app.add_typer(sweep.app, name="sweep", rich_help_panel=LOOK)
app.add_typer(languages.app, name="languages", rich_help_panel=LOOK)
app.add_typer(comet.app, name="comet", rich_help_panel=LOOK)
app.add_typer(pocket.app, name="pocket", rich_help_panel=LOOK)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cogsym-toolkit {__version__}")
        raise typer.Exit


@app.callback()
def cogsym(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of expected errors too.")] = False,
) -> None:
    """Teach Llama-2 your language: adapt the outermost layers, publish the exact difference, translate."""


def main(arguments: list[str] | None = None) -> None:
    """Run `cogsym` and exit: 0 fine, 1 expected error, 2 wrong usage, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        app(arguments)
    except CogsymError as error:
        if "--debug" in arguments:
            raise
        report_error(error)
        sys.exit(1)
    except OSError as error:
        if "--debug" in arguments or error.errno not in UNWRITABLE:
            raise
        report_error(
            OutputError(
                f"cannot write {error.filename or 'the output'}: {error.strerror}",
                "free some space, or choose another place",
            )
        )
        sys.exit(1)
