"""What the small Hub remembers: repositories with commits, branches and pull requests, large files, collections."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

LFS_SUFFIXES = (".safetensors", ".png", ".bin", ".whl")


@dataclass(frozen=True)
class Blob:
    """The content of one file; large ones lie on disk under their sha256."""

    size: int
    oid: str
    content: bytes = b""
    lfs: Path | None = None

    @classmethod
    def regular(cls, content: bytes) -> Blob:
        oid = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        return cls(len(content), oid, content)

    @classmethod
    def large(cls, path: Path) -> Blob:
        return cls(path.stat().st_size, path.name, lfs=path)

    def read(self) -> bytes:
        return self.lfs.read_bytes() if self.lfs else self.content

    def as_entry(self, path: str) -> dict[str, Any]:
        """As the tree call lists it."""
        entry: dict[str, Any] = {"type": "file", "path": path, "size": self.size, "oid": self.oid}
        if self.lfs:
            pointer = hashlib.sha1(self.oid.encode(), usedforsecurity=False).hexdigest()
            entry |= {"oid": pointer, "lfs": {"oid": self.oid, "size": self.size, "pointerSize": 134}}
        return entry


@dataclass(frozen=True)
class Commit:
    """A state of all files."""

    oid: str
    parent: str | None
    title: str
    files: dict[str, Blob]


@dataclass
class Pull:
    """A pull request; its files are at `refs/pr/{num}`."""

    num: int
    title: str
    author: str
    status: str = "open"


@dataclass
class Repository:
    """One repository; the id of a Space begins with `spaces/`, as its addresses do."""

    repo_id: str
    private: bool = False
    gated: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    pulls: list[Pull] = field(default_factory=list)

    def commit(self, ref: str, title: str, files: dict[str, Blob], parent: str | None) -> Commit:
        text = repr((self.repo_id, ref, title, parent, len(self.commits), sorted((p, b.oid) for p, b in files.items())))
        made = Commit(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), parent, title, files)
        self.commits[made.oid] = made
        self.refs[ref] = made.oid
        return made

    def at(self, revision: str) -> Commit | None:
        """The commit of a branch, a pull request or an oid."""
        return self.commits.get(self.refs.get(revision, revision))

    def main(self) -> Commit:
        return self.commits[self.refs["main"]]

    def card_data(self) -> dict[str, Any]:
        card = self.main().files.get("README.md")
        match = re.match(r"---\n(.*?)\n---\n", card.read().decode() if card else "", re.DOTALL)
        return (yaml.safe_load(match.group(1)) or {}) if match else {}

    def tags(self) -> list[str]:
        data = self.card_data()
        tags = [*_list(data.get("tags")), *_list(data.get("language")), *_list(data.get("library_name"))]
        tags += [f"license:{data['license']}"] if "license" in data else []
        return [*tags, *(f"base_model:{base}" for base in _list(data.get("base_model")))]


class Store:
    """Everything on the server. Users are named by their token; members of an organisation may write to it."""

    def __init__(self, folder: Path) -> None:
        self.lock = threading.RLock()
        self.lfs = folder / "lfs"
        self.lfs.mkdir(parents=True)
        self.repositories: dict[str, Repository] = {}
        self.collections: dict[str, dict[str, Any]] = {}
        self.users: dict[str, str] = {}
        self.members: dict[str, set[str]] = {}
        self.private_by_default: set[str] = set()
        """Owners whose new repositories are private unless asked otherwise."""
        self.trusted: dict[str, str] = {}
        """Repositories that trust a workflow, and as whom it writes."""
        self.complaint: str | None = None
        """What the server has against every card."""
        self.granted: set[tuple[str, str]] = set()
        """Pairs of user and gated repository."""
        self.jobs: list[dict[str, Any]] = []
        """What was asked to be run, in order."""

    def create(self, repo_id: str, *, private: bool = False, gated: bool = False) -> Repository:
        repository = Repository(repo_id, private, gated)
        repository.commit("main", "initial commit", {".gitattributes": Blob.regular(b"* lfs\n")}, None)
        self.repositories[repo_id] = repository
        return repository

    def add_files(self, repo_id: str, files: dict[str, bytes]) -> Commit:
        """Put files onto main, as somebody else would have."""
        repository = self.repositories.get(repo_id) or self.create(repo_id)
        blobs = {path: self.blob(path, content) for path, content in files.items()}
        return repository.commit("main", "add", repository.main().files | blobs, repository.refs["main"])

    def blob(self, path: str, content: bytes) -> Blob:
        if not path.endswith(LFS_SUFFIXES):
            return Blob.regular(content)
        stored = self.lfs / hashlib.sha256(content).hexdigest()
        stored.write_bytes(content)
        return Blob.large(stored)

    def reset(self) -> None:
        """Forget all repositories and large files."""
        self.repositories.clear()
        for stored in self.lfs.iterdir():
            stored.unlink()

    def files(self, repo_id: str, revision: str = "main") -> dict[str, bytes]:
        """All contents at a revision, without what every repository starts with."""
        commit = self.repositories[repo_id].at(revision)
        assert commit is not None
        return {path: blob.read() for path, blob in commit.files.items() if path != ".gitattributes"}

    def may_write(self, user: str | None, repo_id: str) -> bool:
        owner = repo_id.removeprefix("spaces/").split("/")[0]
        return user is not None and (user == owner or user in self.members.get(owner, set()))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
