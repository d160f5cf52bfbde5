"""How every verb speaks: data on stdout, progress and errors on stderr."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from toolkit.errors import CogsymError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def report_error(error: CogsymError) -> None:
    """Print an expected error and what to do about it, without a traceback."""
    err.print(f"[bold red]error:[/] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        err.print(f"[bold]hint:[/] {escape(error.hint)}", soft_wrap=True)


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
