"""Deltas that come, change, break and go while the page is up; one that cannot be used is left out, with the reason."""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import dataclass, replace

from offers import Offer, folder_offers, hub_offers, named_offers, newest
from settings import Settings

from toolkit.errors import CogsymError, HubError
from toolkit.pretrained import resolve_delta
from toolkit.routing import Adaptation
from toolkit.translator import Translator

log = logging.getLogger("cogsym.page")


@dataclass(frozen=True)
class Skipped:
    """A delta, or an account on the Hub, that the page goes without."""

    name: str
    reason: str


@dataclass
class _Tried:
    """What became of an offer."""

    offer: Offer
    name: str | None = None  # of the adaptation, where it is served
    reason: str = ""
    again: bool = False  # whether it may be better the next time although nothing about it changed


class Arrivals:
    """What became of each delta that there is to serve."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tried: dict[str, _Tried] = {}
        self._from_hub: dict[str, list[Offer]] = {}
        self._unasked: dict[str, str] = {}  # owner -> why the Hub could not be asked
        self._looking, self._leaving = threading.Lock(), threading.Lock()

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What the page goes without, and why."""
        tried = [Skipped(one.offer.shown, one.reason) for one in list(self._tried.values()) if one.reason]
        return (*tried, *(Skipped(owner, reason) for owner, reason in list(self._unasked.items())))

    @property
    def looking(self) -> bool:
        """Whether somebody looks just now."""
        return self._looking.locked()

    def named(self) -> list[Offer]:
        """The deltas that are named, or in the folder; of those on the Hub the newest commit, as far as it tells."""
        return [*map(_newest, named_offers(self._settings)), *folder_offers(self._settings.folder)]

    def look(self, translator: Translator) -> bool:
        """Serve what is there now: new deltas come, changed ones are read again, those that are gone go.

        Returns:
            False if somebody else looks just now.
        """
        if not self._looking.acquire(blocking=False):
            return False
        try:
            offers = {offer.place: offer for offer in [*self.named(), *self._published(translator.base_id)]}
            for place, tried in list(self._tried.items()):
                offer = offers.get(place)
                if offer is None or (_another(tried.offer, offer) and _at_hand(tried, offer)):
                    self._forget(translator, place)
            for place, offer in offers.items():
                if place not in self._tried or self._tried[place].again:
                    self._tried[place] = _try(translator, offer)
        finally:
            self._looking.release()
        return True

    def leave_out(self, translator: Translator, name: str, error: CogsymError) -> None:
        """Go without an adaptation whose delta turned out to be unusable, until that delta changes."""
        with self._leaving:  # several visitors may find out at once
            if name not in translator.adaptations:
                return
            log.warning("leaving out %s: %s", name, error)
            for tried in list(self._tried.values()):  # a look may add some meanwhile
                if tried.name == name:
                    tried.name, tried.reason = None, without_folders(error.message)
            translator.remove(name)

    def adopt(self, offer: Offer, adaptation: Adaptation) -> None:
        """Note that an adaptation came with the translator."""
        self._tried[offer.place] = _served(offer, adaptation)

    def refuse(self, offer: Offer, error: Exception) -> None:
        """Note that an offer cannot be used, and why."""
        self._tried[offer.place] = _refused(offer, error)

    def _published(self, base_id: str) -> list[Offer]:
        offers: list[Offer] = []
        for owner in self._settings.owners:
            try:
                self._from_hub[owner] = hub_offers(owner, base_id)
                self._unasked.pop(owner, None)
            except HubError as error:  # what was found before stays
                self._unasked[owner] = error.message
            offers += self._from_hub.get(owner, [])
        return offers

    def _forget(self, translator: Translator, place: str) -> None:
        with self._leaving:
            tried = self._tried.pop(place)
            if tried.name in translator.adaptations:
                log.info("no longer there, or another one now: %s", tried.offer.shown)
                translator.remove(str(tried.name))


def without_folders(message: str) -> str:
    """The message with only the last part of each path: visitors need not know this machine."""
    return re.sub(r"(?:~|\.{1,2})?(?:/[^\s/'\":]+)+/(?=[^\s/])", "", message)


def _newest(offer: Offer) -> Offer:
    if not offer.moves:
        return offer
    try:
        return newest(offer)
    except HubError as error:  # what is served stays
        log.info("cannot look for a newer %s: %s", offer.shown, error)
        return offer


def _another(before: Offer, now: Offer) -> bool:
    return bool(now.state) and now.state != before.state


def _at_hand(tried: _Tried, offer: Offer) -> bool:
    """Whether what takes the place of a delta is on this machine now; the language is served until then."""
    if tried.name is None or not offer.on_hub:
        return True
    try:
        run = resolve_delta(offer.place, offer.revision)
    except HubError as error:  # tried again at the next look
        log.warning("%s stays as it was: %s", offer.shown, error)
        return False
    except CogsymError:  # it is here, and why it cannot be served is told when it is tried
        return True
    return not offer.moves or run.root.name == offer.state  # else the Hub was away, and the cache gave the old one


def _try(translator: Translator, offer: Offer) -> _Tried:
    try:
        return _served(offer, translator.add(offer.place, revision=offer.revision))
    except Exception as error:
        return _refused(offer, error)


def _served(offer: Offer, adaptation: Adaptation) -> _Tried:
    # The cache calls a snapshot's folder by its commit, which may be older than what the Hub has.
    state = adaptation.run.root.name if offer.moves else offer.state
    return _Tried(replace(offer, state=state), adaptation.name)


def reason(error: Exception) -> str:
    """Why a delta cannot be served, for visitors."""
    if isinstance(error, CogsymError):
        return without_folders(error.message)
    return f"it cannot be read ({type(error).__name__})"


def _refused(offer: Offer, error: Exception) -> _Tried:
    if isinstance(error, CogsymError):
        log.warning("left out %s: %s", offer.shown, error)
    else:  # a hostile file may fail in any way; the others go on
        log.error("left out %s", offer.shown, exc_info=error)
    return _Tried(offer, None, reason(error), again=isinstance(error, HubError))
