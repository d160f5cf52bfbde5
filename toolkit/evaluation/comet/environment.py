"""The environment that COMET runs in: where it is, whether it is whole, and how it is made.

Where unbabel-comet is installed beside the toolkit, this process's own Python serves. Otherwise there is a virtual
environment in the user's cache, or in the folder that `COGSYM_COMET_HOME` names. Its mark is written first as
unfinished, and as finished once COMET has been imported there; so what was interrupted is known, and made again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from toolkit.errors import MissingPartError, OutputError
from toolkit.evaluation.comet import pip_failures

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
HOME_VARIABLE = "COGSYM_COMET_HOME"
INSTALL_COMMAND = "cogsym comet install"
NEEDED_BYTES = 2 * 10**9  # with PyTorch for the CPU; with CUDA it is several times as much
PYTHONS = ((3, 11), (3, 12))  # NumPy 1 has wheels up to 3.12, SciPy and pandas begin with 3.11
PACKAGES = ("unbabel-comet", "torch", "transformers", "pytorch-lightning")  # worth telling about

_MARK = "cogsym-comet.json"
_PROGRAM = "Scripts/python.exe" if os.name == "nt" else "bin/python"
_CHECK = (
    "import comet, json, sys; from importlib.metadata import version; "
    "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
)


@dataclass(frozen=True)
class CometEnvironment:
    """What was found where COMET should be."""

    state: Literal["beside the toolkit", "ready", "unfinished", "outdated", "missing"]
    python: Path | None = None  # to run COMET with; only where it can
    folder: Path | None = None  # of the environment; None for this process's own
    versions: dict[str, str] = field(default_factory=dict)


def home() -> Path:
    """The folder of the environment, whether it is there or not."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Path(named).expanduser().resolve()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "cogsym-toolkit" / "comet"


def find() -> Path | None:
    """The Python that can import COMET: this process's own, else the environment's; None where there is none."""
    return look().python


def look() -> CometEnvironment:
    """What there is, without starting anything."""
    own = _own_versions()
    if own:
        return CometEnvironment("beside the toolkit", Path(sys.executable), None, own)
    folder = home()
    mark = _read_mark(folder)
    if mark is None:
        return CometEnvironment("missing", folder=folder)
    python, versions = folder / _PROGRAM, mark.get("versions")
    if not isinstance(versions, dict) or not python.exists():  # the link is dead where its Python was removed
        return CometEnvironment("unfinished", folder=folder)
    if mark.get("requirements") != _requirements_digest():
        return CometEnvironment("outdated", folder=folder, versions=versions)
    return CometEnvironment("ready", python, folder, versions)


def install(*, python: Path | None = None, report: Callable[[str], None] = lambda line: None) -> CometEnvironment:
    """Make the environment, unless it is there already.

    Args:
        python: Python 3.11 or 3.12 to build it from; default this one, or one of those on the PATH.
        report: called with each line of progress.

    Raises:
        MissingPartError: if there is no fitting Python, pip fails, or COMET cannot be imported afterwards.
        OutputError: if there is no room, or the folder holds something else.
    """
    folder = home()
    found = look()
    if found.python:
        return found
    _refuse_other_contents(folder)
    base = python or _base_python()
    folder.parent.mkdir(parents=True, exist_ok=True)
    _refuse_full_disk(folder.parent)
    try:
        with FileLock(folder.with_name(f"{folder.name}.lock"), timeout=0):
            found = look()  # another process may have finished in the meantime
            return found if found.python else _make(folder, base, report)
    except Timeout:
        raise MissingPartError(
            f"another process is installing COMET into {folder}", "wait until it has finished, then try again"
        ) from None


def worker_surroundings() -> dict[str, str]:
    """The environment variables for a process of COMET's Python: this process's, without what leads it elsewhere."""
    if _own_versions():
        return dict(os.environ)
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def pinned_version() -> str:
    """The version of unbabel-comet that is installed."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith("unbabel-comet=="))


def _make(folder: Path, base: Path, report: Callable[[str], None]) -> CometEnvironment:
    folder.mkdir(exist_ok=True)
    _write_mark(folder, None)
    for left in folder.iterdir():
        if left.name != _MARK:  # it stays, so that an interruption here leaves a folder that is known as ours
            report(f"removing {left.name} of an earlier installation")
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    report("making a virtual environment")
    code, lines = _run([base, "-m", "venv", folder], report)
    if code:
        raise pip_failures.explain_venv(lines)
    pip: list[str | Path] = [folder / _PROGRAM, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    code, lines = _run([*pip, "install", "--progress-bar", "off", "--requirement", REQUIREMENTS], report)
    if code:
        raise pip_failures.explain(lines)
    report("importing COMET")
    code, lines = _run([folder / _PROGRAM, "-W", "ignore", "-c", _CHECK, *PACKAGES])
    if code:
        raise pip_failures.explain_import(lines)
    _write_mark(folder, json.loads(lines[-1]))
    return look()


def _run(command: Sequence[str | Path], report: Callable[[str], None] | None = None) -> tuple[int, list[str]]:
    """Exit status and lines of a program of the environment; it ends with us."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")},
    )
    lines = []
    with process:
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                if report and lines[-1]:
                    report(lines[-1].strip().partition(" (from ")[0])
        except BaseException:
            process.kill()
            raise
    return process.returncode, lines


def _base_python() -> Path:
    if sys.version_info[:2] in PYTHONS:
        return Path(sys.executable)
    for major, minor in PYTHONS:
        program = shutil.which(f"python{major}.{minor}")
        if program:
            return Path(program)
    known = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    raise MissingPartError(
        f"COMET {pinned_version()} needs Python {known}, and here are {sys.version.split()[0]} and no other",
        "install one of them beside this one, or name it with --python; the toolkit itself can stay where it is",
    )


def _refuse_other_contents(folder: Path) -> None:
    """Never remove a folder that this module has not made."""
    if folder.exists() and _read_mark(folder) is None and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(
            f"{folder} holds something else than an environment for COMET",
            f"set {HOME_VARIABLE} to a folder that does not exist yet",
        )


def _refuse_full_disk(parent: Path) -> None:
    free = shutil.disk_usage(parent).free
    if free < NEEDED_BYTES:
        raise OutputError(
            f"COMET needs at least {NEEDED_BYTES / 1e9:.0f} GB of disk, and {parent} has {free / 1e9:.1f} GB left",
            f"free some space, or set {HOME_VARIABLE} to a folder on another disk",
        )


def _own_versions() -> dict[str, str]:
    """Versions of what is installed beside the toolkit; empty where COMET is not."""
    try:
        return {name: version(name) for name in PACKAGES}
    except PackageNotFoundError:
        return {}


def _requirements_digest() -> str:
    return sha256(REQUIREMENTS.read_bytes()).hexdigest()


def _read_mark(folder: Path) -> dict[str, object] | None:
    try:
        mark = json.loads((folder / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return mark if isinstance(mark, dict) else None


def _write_mark(folder: Path, versions: dict[str, str] | None) -> None:
    """Mark the folder as ours, and as finished where the versions are known."""
    draft = folder / f".{_MARK}.tmp"
    draft.write_text(json.dumps({"requirements": _requirements_digest(), "versions": versions}), encoding="utf-8")
    os.replace(draft, folder / _MARK)
