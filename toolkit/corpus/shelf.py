"""Rows that lie on disk, each found by its number: a corpus of any size takes 16 bytes of memory per row."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from toolkit.errors import OutputError


def as_line(row: Mapping[str, str], keys: Sequence[str]) -> bytes:
    """One row as the line that it is stored and fingerprinted as."""
    return json.dumps([row[key] for key in keys], ensure_ascii=False).encode() + b"\n"


class Shelf:
    """Rows with the same keys in an unnamed temporary file, which is gone when the program is, however it ends.

    The file lies where `TMPDIR` says.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys
        self._file = scratch_file()
        self._end = 0
        self._starts, self._sizes = array("q"), array("q")

    def add(self, row: Mapping[str, str]) -> None:
        """Put a row at the end."""
        line = as_line(row, self.keys)
        with told_when_full():
            self._file.write(line)
        self._starts.append(self._end)
        self._sizes.append(len(line))
        self._end += len(line)

    def pick(self, numbers: Iterable[int]) -> Shelf:
        """These rows, in this order; they stay where they are."""
        picked = Shelf.__new__(Shelf)
        picked.keys, picked._file, picked._end = self.keys, self._file, self._end
        picked._starts, picked._sizes = array("q"), array("q")
        for number in numbers:
            picked._starts.append(self._starts[number])
            picked._sizes.append(self._sizes[number])
        return picked

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, number: int) -> dict[str, str]:
        return dict(zip(self.keys, json.loads(self._line(number)), strict=True))

    def __iter__(self) -> Iterator[dict[str, str]]:
        return (self[number] for number in range(len(self)))

    @property
    def fingerprint(self) -> str:
        """sha256 over the rows in their order."""
        digest = hashlib.sha256()
        for number in range(len(self)):
            digest.update(self._line(number))
        return digest.hexdigest()

    def _line(self, number: int) -> bytes:
        with told_when_full():
            self._file.flush()
        return os.pread(self._file.fileno(), self._sizes[number], self._starts[number])


def scratch_file() -> IO[bytes]:
    """An unnamed temporary file."""
    with told_when_full():
        return tempfile.TemporaryFile(prefix="cogsym-")


@contextmanager
def told_when_full() -> Iterator[None]:
    """Explain a temporary folder that cannot be written.

    Raises:
        OutputError: naming the folder.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"the data does not fit the temporary folder {tempfile.gettempdir()}: {error.strerror}",
            "free some space there, or set TMPDIR to a folder on a larger disk",
        ) from error
