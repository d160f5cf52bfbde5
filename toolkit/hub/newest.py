"""What an account has published for one base, at which commit; one cheap question, for pages that ask every minute."""

from __future__ import annotations

from itertools import islice

from hub_cards.metadata import DELTA_TAG
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
