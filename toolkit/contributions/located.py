"""The files of a data set that a language file names: under a folder of this machine, or fetched from the Hub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from toolkit.corpus.table import TEXT_SUFFIXES
from toolkit.errors import HubError
from toolkit.hub.declared import ListedFile, Listing, OutOfReachError, fetch_file, list_repository
from toolkit.languages.entries import DataSet, EvaluationSet

MAX_FILES = 40
MAX_FETCHED_BYTES = 250_000_000  # of one file
MAX_FETCHED_BYTES_IN_ALL = 1_000_000_000
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
        for root in (folder, *(folder / name for name in (*names, source.name) if _is_plain_name(name))):
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


def _is_plain_name(name: str) -> bool:
    """Whether a name is that of something in a folder; whoever wrote it may have called the folder above."""
    return name not in (".", "..") and not set(name) & set("/\\")


def _glob(root: Path, pattern: str) -> Iterator[Path]:
    return (path for path in sorted(root.glob(pattern)) if path.is_file())


class HubFiles:
    """Fetches files of data sets from the Hub: text alone, none that is very large, and not too many bytes in all.

    Nothing but tables and text is taken, so no code of a data set ever comes here.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint
        self._left = MAX_FETCHED_BYTES_IN_ALL

    def fetch(self, source: Source) -> Located:
        """The files of one data set that is on the Hub."""
        assert source.hub is not None
        if not source.files:
            return Located(missing=(_NO_FILES,))
        try:
            listing = list_repository(source.hub, repo_type="dataset", endpoint=self._endpoint)
        except OutOfReachError as error:
            return Located(missing=(error.message,))
        except HubError as error:
            return Located(wrong=(error.message,))
        chosen, missing, wrong = _chosen(listing, source.files)
        files = list[tuple[str, Path]]()
        for listed in chosen:
            refused = self._refused(listed)
            if refused:
                missing.append(refused)
                continue
            self._left -= listed.size_bytes
            try:
                files.append((listed.path, fetch_file(listing, listed.path, endpoint=self._endpoint)))
            except HubError as error:
                missing.append(error.message)
        return Located(tuple(files), tuple(missing), tuple(wrong))

    def _refused(self, listed: ListedFile) -> str | None:
        size = f"{listed.path} has {listed.size_bytes / 1e6:,.1f} MB"
        if PurePosixPath(listed.path).suffix not in TEXT_SUFFIXES:
            return f"{listed.path} is no table or text that is read here"
        if listed.size_bytes > MAX_FETCHED_BYTES:
            return f"{size}, and a file of more than {MAX_FETCHED_BYTES / 1e6:,.1f} is not fetched"
        if listed.size_bytes > self._left:
            return f"{size}, and no more than {MAX_FETCHED_BYTES_IN_ALL / 1e6:,.0f} are fetched for one language"
        return None


def _chosen(listing: Listing, patterns: Sequence[str]) -> tuple[list[ListedFile], list[str], list[str]]:
    """The files that match, why some of them are left out, and what matches nothing."""
    wanted = [[file for file in listing.files if _matches(file.path, pattern)] for pattern in patterns]
    wrong = [
        f"{listing.repo_id} holds no file {pattern}"
        for pattern, found in zip(patterns, wanted, strict=True)
        if not found
    ]
    matching = {file.path for found in wanted for file in found}  # of a repository that may hold very many
    files = [file for file in listing.files if file.path in matching]
    missing = [f"{len(files) - MAX_FILES} more files match"] if len(files) > MAX_FILES else []
    return files[:MAX_FILES], missing, wrong


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
