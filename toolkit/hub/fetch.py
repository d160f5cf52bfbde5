"""Brings a delta or a base from the Hub: revision pinned, resumed, from the cache where possible, digests checked."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import EntryNotFoundError

from toolkit.errors import CardError, DamagedDeltaError, HubError
from toolkit.hub.client import hub_client
from toolkit.hub.contents import PUBLISHED, PublishedFile
from toolkit.hub.failures import hub_errors, is_unreachable
from toolkit.hub.resume import fetch_large_files
from toolkit.records import DeltaConfig

BASE_FILES = (
    "README.md",
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "LICENSE*",
    "NOTICE*",
    "USE_POLICY*",
)
"""What a base is made of; no pickles, no code, and none of the copies in other formats."""
_COMMIT = re.compile(r"[0-9a-f]{40}")


def fetch_delta(
    repo_id: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    force_download: bool = False,
    local_files_only: bool = False,
    endpoint: str | None = None,
) -> Path:
    """The folder of a published delta, downloaded once, its digest checked.

    Args:
        repo_id: `org/name`.
        revision: branch, tag, commit or `refs/pr/N`; a commit that is in the cache needs no network.
        token: default the one that you logged in with.
        cache_dir: default the Hub's own cache.
        force_download: download again what the cache holds.
        local_files_only: use the cache alone, as HF_HUB_OFFLINE=1 does.
        endpoint: address of the Hub; default HF_ENDPOINT, else the public one.

    Raises:
        HubError: if it cannot be found or reached, or is not a published delta.
        DamagedDeltaError: if the delta's digest is not the one that its config states.
    """
    source = _Source(hub_client(endpoint, token), repo_id, revision, PUBLISHED, cache_dir)
    with hub_errors(f"download {repo_id}", repo_id, token=token):
        folder = source.fetch(force_download=force_download, local_files_only=local_files_only)
    check_digest(folder, repo_id, source.hashed)
    return folder


def fetch_base(
    repo_id: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    force_download: bool = False,
    local_files_only: bool = False,
    endpoint: str | None = None,
) -> Path:
    """The folder of a base model, downloaded once; access is tested before anything large is.

    Args:
        repo_id: `org/name`.
        revision: branch, tag or commit; a commit that is in the cache needs neither network nor login.
        token: default the one that you logged in with.
        cache_dir: default the Hub's own cache.
        force_download: download again what the cache holds.
        local_files_only: use the cache alone, as HF_HUB_OFFLINE=1 does.
        endpoint: address of the Hub; default HF_ENDPOINT, else the public one.

    Raises:
        HubError: if it cannot be found or reached, has to be asked for first, or holds no safetensors.
    """
    source = _Source(hub_client(endpoint, token), repo_id, revision, BASE_FILES, cache_dir)
    with hub_errors(f"download the base {repo_id}", repo_id, token=token):
        folder = source.fetch(force_download=force_download, local_files_only=local_files_only, ask_first=True)
    if not any(folder.glob("*.safetensors")):
        raise HubError(
            f"{repo_id} holds no weights in safetensors",
            "choose a revision that does, or convert it and pass the folder: --base FOLDER",
        )
    return folder


def fetch_config(
    repo_id: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    endpoint: str | None = None,
) -> Path:
    """A folder with the `config.json` of a base or a delta, which is enough to plan a run, or to open a page.

    Args:
        repo_id: `org/name`.
        revision: branch, tag or commit.
        token: default the one that you logged in with.
        local_files_only: use the cache alone, and ask nobody.
        endpoint: address of the Hub; default HF_ENDPOINT, else the public one.

    Raises:
        HubError: if it cannot be found or reached, or has to be asked for first.
    """
    with hub_errors(f"download the configuration of {repo_id}", repo_id, token=token):
        client = hub_client(endpoint, token)
        path = client.hf_hub_download(repo_id, "config.json", revision=revision, local_files_only=local_files_only)
        return Path(path).parent


def check_digest(folder: Path, name: str, hashed: Collection[str] = ()) -> None:
    """Make sure that the delta in this folder is the one its config describes.

    Args:
        folder: where it is.
        name: what to call it in an error.
        hashed: digests of files that came into the cache just now; the cache names large files by their digest.

    Raises:
        HubError: if there is no delta here.
        DamagedDeltaError: if it is another.
    """
    try:
        config = DeltaConfig.read(folder / "config.json")
    except CardError as error:
        raise HubError(f"{name} is not a published delta: {error.message}", "look for one: `cogsym search`") from error
    # A config comes from a stranger: the name may not lead out of the folder.
    path = folder / Path(config.delta_file).name
    if not path.is_file() and (index := path.with_name(f"{path.name}.index.json")).is_file():
        path = index  # a delta too large for one file; its shards are checked as they are read
    if not path.is_file():
        raise HubError(f"{name} holds no {path.name}", "tell its owners: the publication is not complete")
    stated = config.delta_sha256
    if stated in hashed and path.resolve().name == stated:
        return
    found = PublishedFile(path.name, path, path.stat().st_size).sha256
    if found != stated:
        raise DamagedDeltaError(
            f"{path.name} of {name} has the sha256 {found[:12]}..., not {stated[:12]}... as its config states",
            "download it again: `cogsym pull --force`; if that does not help, tell its owners",
        )


@dataclass(frozen=True)
class _Source:
    """Some files of one repository at one revision."""

    api: HfApi
    repo_id: str
    revision: str | None
    patterns: tuple[str, ...]
    cache_dir: str | Path | None
    hashed: set[str] = field(default_factory=set)
    """Digests of the large files that were downloaded, and so hashed, just now."""

    def fetch(self, *, force_download: bool, local_files_only: bool, ask_first: bool = False) -> Path:
        """Their snapshot folder: from the cache if the revision is pinned, else as the Hub has it now."""
        if force_download and local_files_only:
            raise HubError(
                f"{self} cannot be downloaded again from this machine alone",
                "leave out force_download or local_files_only",
            )
        offline = local_files_only or constants.HF_HUB_OFFLINE
        # A commit never changes: where it is whole in the cache, nobody need be asked.
        pinned = self.revision is not None and _COMMIT.fullmatch(self.revision)
        if (pinned and not force_download) or offline:
            cached = self._cached()
            if cached is not None:
                return cached
            if offline:
                raise HubError(
                    f"{self} is not on this machine, or only in part, and offline mode is on",
                    "unset HF_HUB_OFFLINE (or leave out local_files_only) and download it once",
                )
        try:
            return self._download(force_download=force_download, ask_first=ask_first)
        except Exception as error:
            cached = self._cached() if is_unreachable(error) and not force_download else None
            if cached is None:
                raise
            return cached

    def _download(self, *, force_download: bool, ask_first: bool) -> Path:
        if ask_first:
            self.api.auth_check(self.repo_id)
        if not force_download:
            commit = self.api.model_info(self.repo_id, revision=self.revision).sha
            assert commit is not None
            self.hashed.update(fetch_large_files(self.api, self.repo_id, commit, self.patterns, self.cache_dir))
        return self._snapshot(force_download=force_download)

    def _cached(self) -> Path | None:
        with suppress(EntryNotFoundError, FileNotFoundError):
            folder = self._snapshot(local_files_only=True)
            if _is_whole(folder):
                return folder
        return None

    def _snapshot(self, *, force_download: bool = False, local_files_only: bool = False) -> Path:
        folder = self.api.snapshot_download(
            self.repo_id,
            revision=self.revision,
            cache_dir=self.cache_dir,
            allow_patterns=list(self.patterns),
            force_download=force_download,
            local_files_only=local_files_only,
        )
        return Path(folder)

    def __str__(self) -> str:
        return f"{self.repo_id}@{self.revision}" if self.revision else self.repo_id


def _is_whole(folder: Path) -> bool:
    """Whether a snapshot has weights, and every shard that an index of it names."""
    indices = folder.glob("*.safetensors.index.json")
    shards = {shard for index in indices for shard in json.loads(index.read_text())["weight_map"].values()}
    return any(folder.glob("*.safetensors")) and all((folder / shard).exists() for shard in shards)
