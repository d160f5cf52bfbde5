"""Which commit a delta, or each delta of an account, has now; one cheap question, for pages that ask every minute."""

from __future__ import annotations

from itertools import islice

from hub_cards.metadata import DELTA_TAG
from toolkit.errors import HubError
from toolkit.hub.client import hub_client
from toolkit.hub.failures import hub_errors


def newest_commits(owner: str, *, base: str, limit: int = 100, endpoint: str | None = None) -> list[tuple[str, str]]:
    """Ids and newest commits of an account's public deltas, by id.

    Args:
        owner: organisation or user.
        base: what the base is called; deltas whose card names another one are left out.
        limit: look at no more than so many.
        endpoint: address of the Hub; default HF_ENDPOINT, else the public one.

    Raises:
        HubError: if the Hub cannot be asked.
    """
    with hub_errors(f"look for the deltas of {owner}", owner):
        listed = hub_client(endpoint).list_models(filter=[DELTA_TAG], author=owner, full=True, cardData=True)
        found = []
        for info in islice(listed, limit):
            named = (info.card_data.to_dict() if info.card_data else {}).get("base_model") or base
            bases = named if isinstance(named, list) else [named]
            if DELTA_TAG in (info.tags or []) and info.sha and not info.private and base in bases:
                found.append((info.id, info.sha))
    return sorted(found)


def newest_commit(repo_id: str, revision: str | None = None, *, endpoint: str | None = None) -> str:
    """The commit that a delta on the Hub has now.

    Args:
        repo_id: `org/name`.
        revision: branch or tag; default the main branch.
        endpoint: address of the Hub; default HF_ENDPOINT, else the public one.

    Raises:
        HubError: if the Hub cannot be asked, or does not know it.
    """
    with hub_errors(f"look for a newer {repo_id}", repo_id):
        commit = hub_client(endpoint).model_info(repo_id, revision=revision, expand=["sha"]).sha
    if commit is None:
        raise HubError(f"the Hub names no commit of {repo_id}", "try again later")
    return commit
