"""What the verbs on deltas share: finding the delta and its base, and a bar that counts bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from toolkit.cli.console import err
from toolkit.errors import DeltaError


def find_delta(id_or_path: str, revision: str | None = None) -> Path:
    """The delta's file: given itself, by the folder that holds it, or by a Hub id, which is downloaded once."""
    path = Path(id_or_path).expanduser()
    for candidate in (path, path / "delta.safetensors"):
        if candidate.is_file() or candidate.with_name(candidate.name + ".index.json").is_file():
            return candidate
    from toolkit.pretrained import resolve_delta
    from toolkit.run_folder import RunFolder

    RunFolder(path).refuse_what_is_no_delta()
    run = resolve_delta(id_or_path, revision)
    return run.root / run.read_config().delta_file


def find_base(delta: Path, base: str | None, revision: str | None) -> Path:
    """The folder or file of the base: the one given, or the one that the config beside the delta names."""
    from toolkit.pretrained import base_of, resolve_base
    from toolkit.run_folder import RunFolder

    if base is not None:
        path = Path(base).expanduser()
        return path if path.is_file() else resolve_base(base, revision)
    run = RunFolder(delta.parent)
    if not run.config.is_file():
        raise DeltaError(f"nothing beside {delta.name} says which base it is for", "pass --base FOLDER or a Hub id")
    return base_of(run)


@contextmanager
def bytes_progress(quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr with bytes, bytes per second and the time left; a new line for every step."""
    with Progress(
        TextColumn("{task.description:>12}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=quiet,
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done_bytes: int, total_bytes: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=total_bytes)
            progress.update(tasks[step], completed=done_bytes)

        yield report
