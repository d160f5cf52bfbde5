"""The languages and models that the page offers now; a delta that cannot be used is left out, with the reason."""

from __future__ import annotations

import logging
import re
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from device import Device, seconds_for
from offers import Offer, folder_offers, hub_offers, named_offers
from settings import Settings

from toolkit.errors import CogsymError, HubError
from toolkit.languages import Direction, Language, get_language
from toolkit.passage import Partial
from toolkit.routing import BASE, Adaptation
from toolkit.translator import STREAM_SENTENCES, Alternatives, Translator

log = logging.getLogger("cogsym.page")

ALTERNATIVES = 4  # of each sentence
MAX_NAMES = 3  # of a language, where it is chosen


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


class Catalogue:
    """One translator and what it serves; looks for new deltas while visitors come."""

    def __init__(self, translator: Translator, settings: Settings, device: Device) -> None:
        self.translator, self.settings, self.device = translator, settings, device
        self._tried: dict[str, _Tried] = {}
        self._from_hub: dict[str, list[Offer]] = {}
        self._unasked: dict[str, str] = {}  # owner -> why the Hub could not be asked
        self._looking, self._looked = threading.Lock(), 0.0
        self._leaving = threading.Lock()
        self._lent_stream = device.lend(self._stream_there, self._stream_seconds)
        self._lent_alternatives = device.lend(self._alternatives_there, self._alternatives_seconds)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What the page goes without, and why."""
        tried = [Skipped(one.offer.shown, one.reason) for one in list(self._tried.values()) if one.reason]
        return (*tried, *(Skipped(owner, reason) for owner, reason in list(self._unasked.items())))

    def sources(self) -> list[Language]:
        """Languages to translate from, by English name."""
        return _by_name({direction.source for direction in self.translator.directions})

    def targets(self, source: str) -> list[Language]:
        """Languages that `source` can be translated to: those that a delta teaches first."""
        codes = {direction.target for direction in self.translator.directions if direction.source == source}
        taught = {adaptation.config.language for adaptation in self.translator.adaptations.values()}
        return _by_name(codes & taught) + _by_name(codes - taught)

    def served(self, source: str | None, target: str | None) -> Direction | None:
        """The direction, where some model serves it."""
        if not source or not target or source == target:
            return None
        direction = Direction(source, target)
        return direction if self.translator.models(direction) else None

    def first_direction(self, reads: str | None = None) -> Direction | None:
        """What a new visitor sees: into the first language that was taught here.

        Args:
            reads: two-letter code of a language that the visitor reads; from that one where it can be.
        """
        taught = [one for adaptation in self.translator.adaptations.values() for one in adaptation.directions]
        offered = [*taught, *self.translator.directions]
        theirs = (one for one in taught if get_language(one.source).iso639_1 == reads)
        return next(theirs, next(iter(offered), None))

    def model(self, direction: Direction) -> str:
        """Name of the model that serves a direction best; the base where none does any more."""
        return next(iter(self.translator.models(direction)), BASE)

    def adaptation(self, direction: Direction) -> Adaptation | None:
        """The delta that serves a direction; None where the base itself does."""
        return self.translator.adaptations.get(self.model(direction))

    def comparable(self, direction: Direction) -> bool:
        """Whether an adaptation serves the direction, so that the base beside it shows what was learned."""
        return self.model(direction) != BASE

    # Translating, here or on a card that is lent

    def stream(self, text: str, direction: Direction, model: str, stop: threading.Event) -> Iterator[Partial]:
        """A translation as it grows, until `stop` is set."""
        if self.device.gpu is None:
            yield from self.translator.stream(text, direction, model=model, cancel=stop)
        else:
            yield from _until(stop, self._lent_stream(text, direction, model))

    def alternatives(self, text: str, direction: Direction, stop: threading.Event) -> Iterator[Alternatives]:
        """Several translations of each sentence, until `stop` is set."""
        if self.device.gpu is None:
            yield from self.translator.alternatives(text, direction, count=ALTERNATIVES, cancel=stop)
        else:
            yield from _until(stop, self._lent_alternatives(text, direction))

    def _stream_there(self, text: str, direction: Direction, model: str) -> Iterator[Partial]:
        yield from self.translator.stream(text, direction, model=model)

    def _alternatives_there(self, text: str, direction: Direction) -> Iterator[Alternatives]:
        yield from self.translator.alternatives(text, direction, count=ALTERNATIVES)

    def _stream_seconds(self, text: str, direction: Direction, model: str) -> int:
        length = self.translator.length(text, direction, model=model)
        return seconds_for(length.sentences, length.longest_tokens, STREAM_SENTENCES)

    def _alternatives_seconds(self, text: str, direction: Direction) -> int:
        length = self.translator.length(text, direction)
        return seconds_for(length.sentences, length.longest_tokens, 1)

    # New deltas, and those that are gone

    def look_soon(self) -> None:
        """Look for new deltas in the background, unless that was done a moment ago. Visitors never wait for it."""
        if self.device.kind == "zerogpu":  # what a card fetches is packed when the page starts
            return
        if time.monotonic() - self._looked < self.settings.refresh_seconds or self._looking.locked():
            return
        threading.Thread(target=self.look, name="look for deltas", daemon=True).start()

    def look(self) -> None:
        """Serve what is there now: new deltas come, changed ones are read again, those that are gone go."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            offers = {offer.place: offer for offer in self._offers()}
            for place, tried in list(self._tried.items()):
                if place not in offers or offers[place].state != tried.offer.state:
                    self._forget(place)
            for place, offer in offers.items():
                if place not in self._tried or self._tried[place].again:
                    self._tried[place] = self._try(offer)
            self._looked = time.monotonic()
        except Exception:  # a strange disk or Hub must not take down what is served
            log.exception("could not look for deltas")
        finally:
            self._looking.release()

    def leave_out(self, name: str, error: CogsymError) -> None:
        """Go without an adaptation whose delta turned out to be unusable, until that delta changes."""
        with self._leaving:  # several visitors may find out at once
            if name not in self.translator.adaptations:
                return
            log.warning("leaving out %s: %s", name, error)
            for tried in self._tried.values():
                if tried.name == name:
                    tried.name, tried.reason = None, without_folders(error.message)
            self.translator.remove(name)

    def adopt(self, offer: Offer, name: str) -> None:
        """Note that an adaptation came with the translator."""
        self._tried[offer.place] = _Tried(offer, name)

    def refuse(self, offer: Offer, error: Exception) -> None:
        """Note that an offer cannot be used, and why."""
        self._tried[offer.place] = _refused(offer, error)

    def _offers(self) -> list[Offer]:
        offers = [*named_offers(self.settings), *folder_offers(self.settings.folder)]
        for owner in self.settings.owners:
            try:
                self._from_hub[owner] = hub_offers(owner, self.translator.base_id)
                self._unasked.pop(owner, None)
            except HubError as error:  # what was found before stays
                self._unasked[owner] = error.message
            offers += self._from_hub.get(owner, [])
        return offers

    def _try(self, offer: Offer) -> _Tried:
        try:
            return _Tried(offer, self.translator.add(offer.place, revision=offer.revision).name)
        except Exception as error:
            return _refused(offer, error)

    def _forget(self, place: str) -> None:
        with self._leaving:
            tried = self._tried.pop(place)
            if tried.name in self.translator.adaptations:
                log.info("no longer there, or another one now: %s", tried.offer.shown)
                self.translator.remove(str(tried.name))


def open_catalogue(settings: Settings, device: Device | None = None) -> Catalogue:
    """The base in memory and every delta that fits it.

    Raises:
        CogsymError: if there is no base to serve; a broken delta is only left out.
    """
    device = device or Device("cpu")
    # A card that is lent has no memory of its own before: all is loaded and checked on the processors.
    place = None if device.kind == "gpu" else "cpu"
    refused: dict[Offer, Exception] = {}
    translator: Translator | None = None
    adopted: Offer | None = None
    offers = [] if settings.base else [*named_offers(settings), *folder_offers(settings.folder)]
    for offer in offers:  # the first that can be used names the base
        try:
            translator = Translator.from_pretrained(offer.place, revision=offer.revision, device=place)
            adopted = offer
            break
        except Exception as error:
            refused[offer] = error
    if translator is None:
        translator = Translator.from_pretrained((), settings.base, base_revision=settings.base_revision, device=place)
    catalogue = Catalogue(translator, settings, device)
    for offer, error in refused.items():
        catalogue.refuse(offer, error)
    if adopted:
        catalogue.adopt(adopted, next(iter(translator.adaptations)))
    catalogue.look()
    if device.kind == "zerogpu":
        translator.move("cuda")
        translator.allow_forks()
    log.info("runs on %s", device.kind)
    return catalogue


def label(language: Language) -> str:
    """`Basa Jawa · Javanese · Ngoko · jav`: what the choice shows, and what typing into it searches.

    Each name is there with and without its accents, unless another one holds it already; of the aliases one, because
    a phone is narrow.
    """
    names = [language.names.own]
    for name in (language.names.english, *language.names.aliases):
        if name.casefold() not in " · ".join(names).casefold() and len(names) < MAX_NAMES:
            names.append(name)
    for name in tuple(names):
        plain = _without_accents(name)
        if plain.casefold() not in " · ".join(names).casefold():
            names.append(plain)
    return " · ".join([*names, language.code])


def without_folders(message: str) -> str:
    """The message with only the last part of each path: visitors need not know this machine."""
    return re.sub(r"(?:~|\.{1,2})?(?:/[^\s/'\":]+)+/(?=[^\s/])", "", message)


def _refused(offer: Offer, error: Exception) -> _Tried:
    if isinstance(error, CogsymError):
        log.warning("left out %s: %s", offer.shown, error)
        return _Tried(offer, None, without_folders(error.message), again=isinstance(error, HubError))
    log.error("left out %s", offer.shown, exc_info=error)  # a hostile file may fail in any way; the others go on
    return _Tried(offer, None, f"it cannot be read ({type(error).__name__})")


def _until(stop: threading.Event, steps: Iterator) -> Iterator:  # type: ignore[type-arg]
    """The steps of another process, which cannot see `stop`, until it is set here."""
    with closing(steps) as steps:  # type: ignore[type-var]
        for step in steps:
            yield step
            if stop.is_set():
                return


def _without_accents(text: str) -> str:
    return "".join(mark for mark in unicodedata.normalize("NFD", text) if not unicodedata.combining(mark))


def _by_name(codes: set[str]) -> list[Language]:
    return sorted((get_language(code) for code in codes), key=lambda language: language.names.english)
