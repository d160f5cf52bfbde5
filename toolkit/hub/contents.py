"""What of a folder is published: a list of what may go, so that nothing goes by accident."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath

from toolkit.errors import HubError

# Path patterns, matched part by part: a `*` never crosses a slash. No pickle, no code, no tokenizer can match.
PUBLISHED = (
    "README.md",
    "config.json",
    "languages/[a-z][a-z][a-z].yaml",
    "delta.safetensors",
    "delta-*-of-*.safetensors",
    "delta.safetensors.index.json",
    "adapter/adapter_config.json",
    "adapter/adapter_model.safetensors",
    "records/*.json",
    "records/evaluation/*.json",
    "samples/*.jsonl",
    "samples/*.json",
    "figures/*.png",
    "figures/*.svg",
    ".eval_results/*.yaml",
    "LICENSE.txt",
    "NOTICE.txt",
    "USE_POLICY.md",
)
# What belongs to a run and stays at home; anything else that is left out is reported.
_AT_HOME = ("recipe.yaml", "metrics.jsonl", "tensorboard", "checkpoints", "trained", "tasks")
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Layout:
    """A kind of repository, and the files that a publication of it consists of."""

    repo_type: str
    """As the Hub calls it: model or space."""
    patterns: tuple[str, ...]

    def holds(self, path: str) -> bool:
        """Whether a file of this path, relative to the repository and with `/`, belongs into a publication."""
        parts = PurePosixPath(path).parts
        return any(
            len(parts) == len(pattern) and all(map(fnmatchcase, parts, pattern))
            for pattern in (PurePosixPath(pattern).parts for pattern in self.patterns)
        )


DELTA = Layout("model", PUBLISHED)
SPACE = Layout("space", ("README.md", "app.py", "requirements.txt", "cogsym_toolkit-*.whl"))


@dataclass(frozen=True)
class PublishedFile:
    """One file of a publication."""

    path: str
    """Where it lies in the repository, with `/`."""
    source: Path
    size_bytes: int

    @cached_property
    def sha256(self) -> str:
        """What Git LFS calls its content."""
        digest = hashlib.sha256()
        for block in self._blocks():
            digest.update(block)
        return digest.hexdigest()

    @cached_property
    def git_oid(self) -> str:
        """What Git calls its content, where it is not kept in LFS."""
        digest = hashlib.sha1(b"blob %d\0" % self.size_bytes, usedforsecurity=False)
        for block in self._blocks():
            digest.update(block)
        return digest.hexdigest()

    def _blocks(self) -> Iterator[bytes]:
        with self.source.open("rb") as file:
            while block := file.read(_READ_BYTES):
                yield block


@dataclass(frozen=True)
class Contents:
    """The files of a publication, and what in the same folder is not part of it."""

    root: Path
    files: tuple[PublishedFile, ...]
    left_out: tuple[str, ...]
    layout: Layout = DELTA

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def find(self, path: str) -> PublishedFile | None:
        return next((file for file in self.files if file.path == path), None)


def list_contents(root: Path, *, layout: Layout = DELTA, follow_links: bool = False) -> Contents:
    """What of this folder is published, in the order of paths.

    Args:
        root: a run folder or a repository.
        layout: what kind of repository.
        follow_links: take linked files too. The Hub's cache is made of links; in a run folder they are refused.

    Raises:
        HubError: if the folder is missing, or a file that would go is a symbolic link.
    """
    if not root.is_dir():
        raise HubError(f"there is no run folder {root}", "give the folder that `cogsym train --out` wrote")
    files: list[PublishedFile] = []
    left_out: list[str] = []
    for path in _walk(root):
        name = path.relative_to(root).as_posix()
        if not layout.holds(name):
            left_out.append(name)
        elif path.is_symlink() and not (follow_links and path.is_file()):
            raise HubError(
                f"{name} is a symbolic link, and would publish a file from outside the run folder",
                "replace it by the file itself, or remove it",
            )
        else:
            files.append(PublishedFile(name, path, path.stat().st_size))
    return Contents(root, tuple(sorted(files, key=lambda file: file.path)), tuple(sorted(left_out)), layout)


def _walk(root: Path) -> Iterator[Path]:
    """All files below, except a run's private folders; links to folders are yielded, never followed."""
    for folder, folders, names in os.walk(root):
        at = Path(folder)
        links = [name for name in folders if (at / name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in links and not (at == root and name in _AT_HOME))
        for name in sorted([*names, *links]):
            if not (at == root and name in _AT_HOME):
                yield at / name
