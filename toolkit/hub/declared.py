"""What a repository holds at one commit, and single files of it: to see whether a declaration is true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub.errors import GatedRepoError

from toolkit.errors import HubError
from toolkit.hub.client import hub_client
from toolkit.hub.failures import hub_errors, is_unreachable


class OutOfReachError(HubError):
    """A repository about which nothing can be said from here: no network, or its conditions were not accepted."""


@dataclass(frozen=True)
class ListedFile:
    """One file of a repository."""

    path: str
    size_bytes: int
    sha256: str | None
    """Of a file in Git LFS; of a small one the Hub does not say it."""


@dataclass(frozen=True)
class Listing:
    """The files of a repository at one commit."""

    repo_id: str
    repo_type: Literal["model", "dataset"]
    commit: str
    files: tuple[ListedFile, ...]

    def find(self, path: str) -> ListedFile | None:
        return next((file for file in self.files if file.path == path), None)


def list_repository(
    repo_id: str,
    *,
    revision: str | None = None,
    repo_type: Literal["model", "dataset"] = "model",
    endpoint: str | None = None,
) -> Listing:
    """What a repository holds; nothing of it is downloaded.

    Raises:
        OutOfReachError: if the Hub cannot be asked, or asks for something first.
        HubError: if there is no such repository or revision.
    """
    with hub_errors(f"look at {repo_id}", repo_id):
        try:
            info = hub_client(endpoint).repo_info(repo_id, revision=revision, repo_type=repo_type, files_metadata=True)
        except Exception as error:
            if not is_unreachable(error):
                raise
            raise OutOfReachError(f"the Hub cannot be asked about {repo_id}", "try again with a network") from None
    assert info.sha is not None
    files = [
        ListedFile(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else None)
        for one in getattr(info, "siblings", None) or ()
    ]
    return Listing(repo_id, repo_type, info.sha, tuple(sorted(files, key=lambda file: file.path)))


def fetch_file(listing: Listing, path: str, *, endpoint: str | None = None) -> Path:
    """One file of a listed repository, from the cache where it is there.

    Raises:
        OutOfReachError: if the Hub cannot be reached, or asks for something first.
        HubError: if it refuses.
    """
    with hub_errors(f"download {path} of {listing.repo_id}", listing.repo_id):
        try:
            found = hub_client(endpoint).hf_hub_download(
                listing.repo_id, path, revision=listing.commit, repo_type=listing.repo_type
            )
        except GatedRepoError:
            raise OutOfReachError(f"{listing.repo_id} is gated", "accept its conditions on the Hub") from None
        except Exception as error:
            if not is_unreachable(error):
                raise
            raise OutOfReachError(f"{listing.repo_id} cannot be reached", "try again with a network") from None
    return Path(found)
