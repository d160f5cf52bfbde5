"""Tells work of several stages: each with its number and reason, and a bar while it lasts."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from toolkit.cli.console import err

if TYPE_CHECKING:
    from rich.progress import TaskID


class Storyteller:
    """Shows each stage with its reason, and a bar while it works."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=err,
            transient=True,
        )
        self._task: TaskID | None = None
        self._number = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def stage(self, title: str, why: str) -> None:
        self._number += 1
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._progress.console.print(f"\n[bold cyan]{self._number}. {escape(title)}[/]\n   [dim]{escape(why)}[/]")
        self._task = self._progress.add_task("working", total=None)

    def step(self, done: int, total: int, note: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total, description=f"{done}/{total} {note}")
