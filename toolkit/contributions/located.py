"""The files of a data set that a language file names: under a folder of this machine, or fetched from the Hub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from toolkit.corpus.table import TEXT_SUFFIXES
from toolkit.errors import HubError
from toolkit.hub.declared import Listing, OutOfReachError, fetch_data_file, list_repository
from toolkit.languages.entries import DataSet, EvaluationSet

MAX_FILES = 40
MAX_FETCHED_BYTES = 256 * 2**20  # of one file; and no more than four times that of one data set
_TOO_LARGE = f"more than {MAX_FETCHED_BYTES // 2**20} MiB"
_NO_FILES = "no `files:` say which of its files are meant"
Source: TypeAlias = DataSet | EvaluationSet


@dataclass(frozen=True)
class Located:
    """The files that were found, why others were not, and what is wrong with what the language file says."""

    files: tuple[tuple[str, Path], ...] = ()  # path in the data set, and where it is here
    missing: tuple[str, ...] = ()  # reasons
    wrong: tuple[str, ...] = ()


def find_under(folder: Path, source: Source) -> Located:
    """The files of a data set below a folder that holds it, or that holds a folder with its name.

    Nothing outside of the folder is opened, wherever links in it lead.
    """
    if not source.files:
        return Located(missing=(_NO_FILES,))
    inside = folder.resolve()
    names = [part.rsplit("/", 1)[-1] for part in (source.hub, source.url and source.url.rstrip("/")) if part]
    files, outside, missing = dict[str, Path](), list[str](), list[str]()
    for pattern in source.files:
        found = list[tuple[str, Path]]()
        for root in (folder, *(folder / name for name in (*names, source.name) if "/" not in name)):
            found = [(path.relative_to(root).as_posix(), path) for path in _glob(root, pattern)]
            if found:
                break
        if not found:
            missing.append(f"nothing under {folder.name or folder} matches {pattern}")
        for name, path in found:
            if not path.resolve().is_relative_to(inside):
                outside.append(f"{name} is a link that leads out of the folder")
            else:
                files.setdefault(name, path)
    return Located(tuple(sorted(files.items())[:MAX_FILES]), tuple(missing), tuple(outside))


def _glob(root: Path, pattern: str) -> Iterator[Path]:
    return (path for path in sorted(root.glob(pattern)) if path.is_file())


def fetch(source: Source, endpoint: str | None = None) -> Located:
    """The files of a data set on the Hub: text alone, and none that is very large.

    Nothing but tables and text is taken, so no code of a data set ever comes here.
    """
    assert source.hub is not None
    try:
        listing = list_repository(source.hub, repo_type="dataset", endpoint=endpoint)
    except OutOfReachError as error:
        return Located(missing=(error.message,))
    except HubError as error:
        return Located(wrong=(error.message,))
    if not source.files:
        return Located(missing=(_NO_FILES,))
    chosen, missing, wrong = _chosen(listing, source.files)
    files, left = list[tuple[str, Path]](), 4 * MAX_FETCHED_BYTES
    for name in chosen:
        listed = listing.find(name)
        size = listed.size_bytes if listed else 0
        if PurePosixPath(name).suffix not in TEXT_SUFFIXES:
            missing.append(f"{name} is no table or text that is read here")
        elif size > min(MAX_FETCHED_BYTES, left):
            missing.append(f"{name} has {size / 2**20:,.0f} MiB, which is {_TOO_LARGE}, or too much with the others")
        else:
            left -= size
            try:
                files.append((name, fetch_data_file(listing, name, endpoint=endpoint)))
            except HubError as error:
                missing.append(error.message)
    return Located(tuple(files), tuple(missing), tuple(wrong))


def _chosen(listing: Listing, patterns: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    chosen, wrong = dict[str, None](), list[str]()
    for pattern in patterns:
        found = [file.path for file in listing.files if _matches(file.path, pattern)]
        if not found:
            wrong.append(f"{listing.repo_id} holds no file {pattern}")
        chosen |= dict.fromkeys(found)
    names = sorted(chosen)
    missing = [f"{len(names) - MAX_FILES} more files match"] if len(names) > MAX_FILES else []
    return names[:MAX_FILES], missing, wrong


def _matches(path: str, pattern: str) -> bool:
    """As `Path.glob`: a `*` never crosses a slash, `**` does."""
    parts, wanted = PurePosixPath(path).parts, PurePosixPath(pattern).parts
    if "**" in wanted:
        at = wanted.index("**")
        head, tail = wanted[:at], wanted[at + 1 :]
        fits = len(parts) >= len(head) + len(tail)
        ends = (*zip(parts, head, strict=False), *zip(parts[len(parts) - len(tail) :], tail, strict=True))
        return fits and all(fnmatchcase(part, one) for part, one in ends)
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
