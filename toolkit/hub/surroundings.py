"""Keeps what is around a publication up to date: the organisation's collection, and the card of an older version."""

from __future__ import annotations

import re

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.hf_api import Collection

from hub_cards.metadata import read_front_matter
from toolkit.errors import CogsymError, HubError
from toolkit.hub.failures import hub_errors

MAX_NOTE = 500
"""Characters that the Hub takes for the note of a collection's item."""
_NEW_VERSION = re.compile(r"^new_version:.*\n", re.MULTILINE)
_OPENING = re.compile(r"\A(?:\ufeff)?---[ \t]*\r?\n")


def update_surroundings(
    api: HfApi, repo_id: str, note: str, *, collection: str | None, replaces: str | None
) -> tuple[str, ...]:
    """List a repository in a collection, and point to it from an older one's card.

    Returns:
        What was done, and what could not be: neither does the publication any harm.
    """
    said = []
    if collection:
        try:
            with hub_errors(f"update the collection '{collection}'", collection, writing=True, token=api.token):
                said.append(f"listed in {add_to_collection(api, collection, repo_id, note)}")
        except CogsymError as error:
            said.append(str(error))
    if replaces:
        try:
            with hub_errors(f"point from {replaces} to the new version", replaces, writing=True, token=api.token):
                point_to_new_version(api, replaces, repo_id)
                said.append(f"{replaces} points to {repo_id}")
        except CogsymError as error:
            said.append(str(error))
    return tuple(said)


def add_to_collection(api: HfApi, title: str, repo_id: str, note: str) -> str:
    """Put a repository into the collection of this title that its owner has, which is made where it is missing.

    Returns:
        The address of the collection.
    """
    owner = repo_id.partition("/")[0]
    found = next((one for one in api.list_collections(owner=owner) if one.title == title), None)
    slug = (found or api.create_collection(title, namespace=owner, exists_ok=True)).slug
    note = note if len(note) <= MAX_NOTE else note[: MAX_NOTE - 1] + "…"
    collection = api.add_collection_item(slug, item_id=repo_id, item_type="model", note=note, exists_ok=True)
    _refresh_note(api, collection, repo_id, note)
    return collection.url


def _refresh_note(api: HfApi, collection: Collection, repo_id: str, note: str) -> None:
    for item in collection.items:
        if item.item_id == repo_id and item.note != note:
            api.update_collection_item(collection.slug, item.item_object_id, note=note)


def point_to_new_version(api: HfApi, older: str, newer: str) -> bool:
    """Make the older repository's card say that there is a newer one; the Hub shows that at the top of its page.

    Returns:
        Whether the card had to be changed.
    """
    if older == newer:
        raise HubError(f"{newer} cannot replace itself", "name the older repository, or leave out --replaces")
    commit = api.model_info(older).sha
    with open(api.hf_hub_download(older, "README.md", revision=commit), encoding="utf-8", newline="") as file:
        card = file.read()
    if read_front_matter(card).get("new_version") == newer:
        return False
    changed = set_new_version(card, newer)
    api.create_commit(
        older,
        [CommitOperationAdd(path_in_repo="README.md", path_or_fileobj=changed.encode("utf-8"))],
        commit_message=f"Point to the new version, {newer}",
        parent_commit=commit,
    )
    return True


def set_new_version(card: str, newer: str) -> str:
    """The card with `new_version` in its front matter; everything else stays as it is, byte for byte."""
    opening = _OPENING.match(card)
    if opening is None:
        raise HubError("the older card has no front matter", "add `new_version` to it by hand")
    end = card.index("\n---", opening.end() - 1)
    front = _NEW_VERSION.sub("", card[opening.end() : end + 1])
    changed = f"{opening.group()}new_version: {newer}\n{front}{card[end + 1 :]}"
    wanted = {**read_front_matter(card), "new_version": newer}
    if read_front_matter(changed) != wanted:
        raise HubError("the older card's front matter cannot be changed safely", "add `new_version` to it by hand")
    return changed
