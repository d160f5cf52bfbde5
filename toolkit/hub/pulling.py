"""Brings a published delta into the cache, or as plain files into a folder, and says what it is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import HubError
from toolkit.hub.contents import list_contents
from toolkit.hub.fetch import check_digest, fetch_delta
from toolkit.hub.local import check_replaceable, publish_locally, same_contents
from toolkit.hub.target import HUB_PREFIX, is_repo_id
from toolkit.records import DeltaConfig


@dataclass(frozen=True)
class PullReport:
    """A delta that is now on this machine, its digest checked."""

    repo_id: str
    commit: str
    """The exact revision; give it as `revision` to get the same files again, without a network too."""
    folder: Path
    files: int
    size_bytes: int
    config: DeltaConfig

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "repo_id": self.repo_id,
            "commit": self.commit,
            "folder": str(self.folder),
            "files": self.files,
            "size_bytes": self.size_bytes,
            "language": self.config.language,
            "base": self.config.base.id,
            "base_revision": self.config.base.revision,
            "sha256": self.config.delta_sha256,
        }


def pull(
    repo_id: str,
    *,
    revision: str | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    local_files_only: bool = False,
    cache_dir: str | Path | None = None,
    endpoint: str | None = None,
) -> PullReport:
    """Bring a published delta to this machine; what an interrupted pull had brought is not downloaded again.

    Args:
        repo_id: `org/name`.
        revision: branch, tag, commit or `refs/pr/N`.
        out: also lay the files into this folder, in one step. An older delta there is replaced, anything else refused.
        force: download again what the cache holds.
        local_files_only: use the cache alone.
        cache_dir: default the Hub's own cache.
        endpoint: address of the Hub; default HF_ENDPOINT, else the public one.

    Raises:
        HubError: if it cannot be found or reached, or is not a published delta.
        DamagedDeltaError: if the delta's digest is not the one that its config states.
        OutputError: if `out` holds something else.
    """
    repo_id = repo_id.removeprefix(HUB_PREFIX)
    if not is_repo_id(repo_id):
        raise HubError(f"'{repo_id}' names no Hub repository", "write org/name; `cogsym search` lists what there is")
    if out is not None:
        check_replaceable(Path(out))  # before anything is downloaded
    folder = fetch_delta(
        repo_id,
        revision=revision,
        force_download=force,
        local_files_only=local_files_only,
        cache_dir=cache_dir,
        endpoint=endpoint,
    )
    commit, contents = folder.name, list_contents(folder, follow_links=True)
    if out is not None:
        if not same_contents(Path(out), contents):
            publish_locally(Path(out), contents)
        folder = Path(out)
        check_digest(folder, str(folder))
    return PullReport(
        repo_id, commit, folder, len(contents.files), contents.size_bytes, DeltaConfig.read(folder / "config.json")
    )
