"""Downloads large files so that a later attempt goes on where an earlier one was cut, even in another process.

The Hub's client resumes within one call, but starts a file again when the process ends, and a delta is one file of up
to a gigabyte. So large files are fetched here into the cache's `blobs` folder, under the name that the client gives
them; it then finds them there and only links them. The client writes in blocks of 10 MB: what is lost is at most that.
"""

from __future__ import annotations

import os
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.file_download import http_get, repo_folder_name
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import WeakFileLock, build_hf_headers, filter_repo_objects

from toolkit.errors import HubError
from toolkit.hub.contents import PublishedFile

RESUMED_BYTES = 8 << 20
"""Smaller files are not worth resuming."""


def fetch_large_files(
    api: HfApi, repo_id: str, commit: str, patterns: tuple[str, ...], cache_dir: str | Path | None = None
) -> set[str]:
    """Bring the large files of this commit that match a pattern into the cache.

    Returns:
        The sha256 of those that were downloaded, and so hashed, by this call.

    Raises:
        HubError: if what arrived is not what the repository states.
    """
    cache = Path(cache_dir or constants.HF_HUB_CACHE).expanduser().resolve()
    name = repo_folder_name(repo_id=repo_id, repo_type="model")
    folder, locks = cache / name, cache / ".locks" / name
    entries = list(api.list_repo_tree(repo_id, recursive=True, revision=commit))
    files = [entry for entry in entries if isinstance(entry, RepoFile) and entry.lfs and entry.size >= RESUMED_BYTES]
    hashed = set()
    for file in filter_repo_objects(files, allow_patterns=list(patterns), key=lambda entry: entry.path):
        assert file.lfs is not None
        if (folder / "snapshots" / commit / file.path).exists():
            continue  # where the system has no links, the cache keeps the file here alone
        url = hf_hub_url(repo_id, file.path, revision=commit, endpoint=api.endpoint)
        if _fetch_blob(api, url, file, folder / "blobs" / file.lfs.sha256, locks):
            hashed.add(file.lfs.sha256)
    return hashed


def _fetch_blob(api: HfApi, url: str, file: RepoFile, blob: Path, locks: Path) -> bool:
    """Download a file to where the cache expects it, unless it is there; whether it had to be."""
    for place in (blob.parent, locks):
        place.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(str(locks / f"{blob.name}.cogsym.lock")):
        if blob.exists():
            return False
        partial = blob.with_name(f"{blob.name}.cogsym.incomplete")
        if partial.exists() and partial.stat().st_size > file.size:
            partial.unlink()
        with partial.open("ab") as stream:
            if stream.tell() < file.size:
                http_get(
                    url,
                    stream,
                    resume_size=stream.tell(),
                    headers=build_hf_headers(token=api.token, library_name=api.library_name),
                    expected_size=file.size,
                    displayed_filename=file.path,
                )
            stream.flush()
            os.fsync(stream.fileno())
        if PublishedFile(file.path, partial, file.size).sha256 != blob.name:
            partial.unlink()
            raise HubError(f"{file.path} arrived damaged from {url}", "run the same command again")
        os.replace(partial, blob)
    return True
