"""What published deltas say of themselves, each read at one commit: for pages that list or serve many of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi

from hub_cards import CardFacts
from toolkit.errors import CardError, HubError
from toolkit.hub.client import hub_client
from toolkit.hub.failures import hub_errors
from toolkit.hub.searching import search
from toolkit.hub.target import HUB_PREFIX, is_repo_id
from toolkit.records import DeltaConfig

MAX_BYTES = 2**24
"""Of a file of facts; whoever published it may be a stranger."""
_FACTS = ("config.json", "records/card.json")


@dataclass(frozen=True)
class PublishedDelta:
    """One published delta at one commit."""

    repo_id: str
    commit: str
    private: bool
    files: tuple[str, ...]
    config: DeltaConfig
    facts: CardFacts
    """As its card says them, under the name that the repository has now."""


def find_published(
    author: str, *, token: str | bool | None = None, endpoint: str | None = None
) -> tuple[list[PublishedDelta], tuple[str, ...]]:
    """All deltas that an organisation or user has published, and what is said about those that cannot be read.

    Raises:
        HubError: if there is none, or the Hub cannot be asked.
    """
    api, deltas, notes = hub_client(endpoint, token), [], []
    for found in search(author=author, token=token, endpoint=endpoint):
        try:
            deltas.append(look_up(api, found.repo_id))
        except HubError as error:
            notes.append(f"left out {found.repo_id}: {error.message}")
    if not deltas:
        raise HubError(f"{author} has published no delta that can be read", "look for others: `cogsym search`")
    return deltas, tuple(notes)


def read_published(
    deltas: Sequence[str], *, token: str | bool | None = None, endpoint: str | None = None
) -> list[PublishedDelta]:
    """These deltas, given as `org/name` or `org/name@revision`.

    Raises:
        HubError: if one is not on the Hub, or is not a delta that this version can read.
    """
    api = hub_client(endpoint, token)
    return [look_up(api, delta) for delta in deltas]


def look_up(api: HfApi, delta: str) -> PublishedDelta:
    """One delta; only its two small files of facts are downloaded.

    Raises:
        HubError: see `read_published`.
    """
    repo_id, _, revision = delta.removeprefix(HUB_PREFIX).partition("@")
    if not is_repo_id(repo_id) or Path(delta).exists():
        raise HubError(f"'{delta}' is not on the Hub", "publish it (`cogsym publish RUN ORG/NAME`), then give ORG/NAME")
    with hub_errors(f"look at {repo_id}", repo_id, token=api.token):
        info = api.model_info(repo_id, revision=revision or None, files_metadata=True)
        names = tuple(file.rfilename for file in info.siblings or ())
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        if "config.json" not in names or "records/card.json" not in names:
            raise HubError(f"{repo_id} is not a published delta", "look for one: `cogsym search`")
        for name in _FACTS:
            if sizes[name] > MAX_BYTES:
                raise HubError(f"{name} of {repo_id} has {sizes[name]:,} bytes", "no delta says so much of itself")
        paths = [api.hf_hub_download(repo_id, name, revision=info.sha) for name in _FACTS]
    try:
        config, facts = DeltaConfig.read(Path(paths[0])), CardFacts.read(Path(paths[1]))
    except CardError as error:
        raise HubError(
            f"{repo_id} is not a delta that this version of the toolkit can read", "ask its owners to publish it again"
        ) from error
    assert info.sha is not None
    facts = facts.model_copy(update={"name": repo_id, "published": True})
    return PublishedDelta(repo_id, info.sha, bool(info.private), names, config, facts)
