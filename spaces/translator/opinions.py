"""How a visitor's opinion of a translation becomes an entry, and what they are told about it."""

from __future__ import annotations

import visits
from catalogue import Catalogue
from feedback import Entry, FeedbackStore, Opinion
from interface_texts import say

from toolkit.languages import Direction

Rated = tuple[str, str, str, str] | None  # text, source, target, translation: what was last translated


def quiet(text: str) -> str:
    """A line of HTML that screen readers hear when it changes."""
    return f'<p class="quiet" role="status">{text}</p>'


class Opinions:
    """Takes opinions for a store; without one it takes none."""

    def __init__(self, catalogue: Catalogue, store: FeedbackStore | None) -> None:
        self._catalogue, self._store = catalogue, store

    @property
    def asked(self) -> bool:
        """Whether visitors are asked at all."""
        return self._store is not None

    def consent(self, interface: str) -> str:
        """What happens to what a visitor sends, and whether it does, as HTML."""
        if self._store is None:
            return ""
        health = self._store.health
        arrives = say(interface, f"health_{health.state}", since=health.since)
        return f'<p class="quiet">{say(interface, "consent")}</p><p class="quiet">{arrives}</p>'

    def keep(self, rated: Rated, opinion: Opinion, words: str | None, visitor: str, interface: str) -> str:
        """Keep an opinion, and what to tell the visitor of that, as HTML.

        Args:
            words: a better translation, with the opinion `suggestion`.
            visitor: tells visitors apart; it is never written.
        """
        suggestion = (words or "").strip()[: visits.LIMIT_CHARACTERS] or None
        if rated is None or self._store is None or (opinion == "suggestion" and suggestion is None):
            return quiet(say(interface, "nothing_to_rate"))
        text, source, target, translation = rated
        entry = Entry(
            source=source,
            target=target,
            text=text,
            model_output=translation,
            model=self._catalogue.model(Direction(source, target)),
            base=self._catalogue.base_id,
            opinion=opinion,
            suggestion=suggestion,
            base_licence=self._base_licence(),
        )
        return quiet(say(interface, self._store.add(entry, visitor)))

    def _base_licence(self) -> str | None:
        adaptations = self._catalogue.adaptations.values()
        return next((one.config.base.licence for one in adaptations if one.config.base.licence), None)
