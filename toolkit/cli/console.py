"""How every verb speaks: data on stdout, progress and errors on stderr."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from toolkit.errors import CogsymError

# Escape sequences and other control characters, but for line ends and tabs; and marks that turn what follows around.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class VisibleConsole(Console):
    """Prints text that may be a stranger's: what would command the terminal is spelt out."""

    def render_str(self, text: str, **options: Any) -> Text:  # type: ignore[override]
        return super().render_str(_COMMANDS.sub(lambda found: ascii(found[0])[1:-1], text), **options)


out = VisibleConsole(highlight=False)
err = VisibleConsole(stderr=True, highlight=False)


def let_one_speak() -> None:
    """Keep silent in all but the first of several processes that train together."""
    out.quiet = err.quiet = int(os.environ.get("RANK", "0")) > 0


def report_error(error: CogsymError) -> None:
    """Print an expected error and what to do about it, without a traceback; in whichever process it came up."""
    err.quiet = False
    err.print(f"[bold red]error:[/] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        err.print(f"[bold]hint:[/] {escape(error.hint)}", soft_wrap=True)


class _Whole:
    """A table as wide as its cells, whatever the width of the terminal, or the 80 columns that a file is given."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        needed = Measurement.get(console, options.update(max_width=10_000), self._table).maximum
        yield from console.render(self._table, options.update(width=max(needed, 1)))


def print_numbers(table: Table, console: Console = out) -> None:
    """Print a table of which no cell is ever cut off; a line too long for the terminal goes on in the next."""
    console.print(_Whole(table), crop=False)


def steps_progress() -> Progress:
    """A bar for work that counts steps; shows what is done, what runs, and the time left."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
        console=err,
    )


@contextmanager
def ranking_progress(quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A bar while a selection is worked out, gone afterwards; only a terminal shows it."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=quiet or not err.is_terminal,
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=total)
            progress.update(tasks[step], completed=done, total=total)

        yield report


def quiet_libraries() -> None:
    """Let only our own messages reach the terminal: libraries log warnings that a user can do nothing about."""
    import logging
    import warnings

    for name in ("bitsandbytes", "codecarbon", "torch.distributed.elastic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(torch|transformers|accelerate|datasets)\..*")

    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
