"""What the page offers now, from the moment it opens, and the models behind it, which are loaded meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing

from arrivals import Arrivals, Skipped, reason
from device import Device, seconds_for
from loading import Loading, State
from offers import Offer
from preview import Preview, preview, require_named
from settings import Settings

from toolkit.errors import CogsymError, HubError
from toolkit.languages import Direction, Language, get_language
from toolkit.passage import Partial
from toolkit.routing import BASE, Adaptation
from toolkit.translator import STREAM_SENTENCES, Alternatives, Translator

log = logging.getLogger("cogsym.page")

ALTERNATIVES = 4  # of each sentence


class Catalogue:
    """One translator and what it serves; looks for new deltas while visitors come.

    Until the translator is loaded, what is offered comes from files that are quickly read; who translates waits.
    """

    def __init__(self, settings: Settings, device: Device, seen: Preview) -> None:
        """
        Args:
            seen: what is known before anything is loaded.
        """
        self.settings, self.device, self._seen = settings, device, seen
        self._arrivals = Arrivals(settings)
        self._loading: Loading[Translator] = Loading(self._open)
        self._looked = 0.0
        self._lent_stream = device.lend(self._stream_there, self._stream_seconds)
        self._lent_alternatives = device.lend(self._alternatives_there, self._alternatives_seconds)

    # The model

    @property
    def state(self) -> State:
        """How far the model is."""
        return self._loading.state

    @property
    def trouble(self) -> Exception | None:
        """Why there is no model, where loading it failed."""
        return self._loading.error

    @property
    def translator(self) -> Translator:
        """The translator, once it is loaded.

        Raises:
            Exception: what loading it failed with.
        """
        if self._loading.state == "not begun":
            return self._loading.run()
        translator = self._loading.value or self._loading.wait()
        assert translator is not None
        return translator

    def load(self) -> None:
        """Load the base and every delta that fits it, here and now.

        Raises:
            CogsymError: if there is no base to serve; a broken delta is only left out.
        """
        self._loading.run()

    def load_soon(self) -> None:
        """Load them in the background. Call it once the page answers: importing what loads them takes the processor."""
        self._loading.start()

    def wait(self, stop: threading.Event | None = None) -> bool:
        """Wait for the model, or until `stop` is set; whether it is there.

        Raises:
            Exception: what loading it failed with.
        """
        return self._loading.wait(stop) is not None

    def _open(self) -> Translator:
        # A card that is lent has no memory of its own before: all is loaded and checked on the processors.
        place, bound_for = ("cpu", "cuda") if self.device.kind == "zerogpu" else (None, None)
        translator: Translator | None = None
        settings, refused = self.settings, dict[Offer, Exception]()
        for offer in [] if settings.base else self._arrivals.named():  # the first that can be used names the base
            try:
                translator = Translator.from_pretrained(
                    offer.place, revision=offer.revision, device=place, bound_for=bound_for
                )
                self._arrivals.adopt(offer, next(iter(translator.adaptations.values())))
                break
            except Exception as error:
                refused[offer] = error
        if translator is None:
            revision = settings.base_revision
            translator = Translator.from_pretrained(
                (), settings.base, base_revision=revision, device=place, bound_for=bound_for
            )
        for offer, error in refused.items():
            self._arrivals.refuse(offer, error)
        self._look(translator)
        if bound_for is not None:
            translator.move(bound_for)
            translator.allow_forks()
        log.info("%s runs on %s", translator.base_id, translator.model.device.type)
        return translator

    # What is offered

    @property
    def _serving(self) -> Translator | Preview:
        return self._loading.value or self._seen

    @property
    def base_id(self) -> str:
        """What the base is called."""
        return self._serving.base_id

    @property
    def adaptations(self) -> Mapping[str, Adaptation]:
        """The deltas by name, whose files need not be checked yet."""
        return self._serving.adaptations

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Directions that some model serves."""
        return self._serving.directions

    def models(self, direction: Direction) -> tuple[str, ...]:
        """Names of the models that serve a direction, the best first."""
        return self._serving.models(direction)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What the page goes without, and why."""
        if self.state == "ready":
            return self._arrivals.skipped
        return tuple(Skipped(offer.shown, reason(error)) for offer, error in self._seen.refused.items())

    @property
    def edition(self) -> int:
        """Another number whenever something else is offered than before."""
        served = tuple((name, one.config.delta_sha256) for name, one in self.adaptations.items())
        return hash((self.state, str(self.trouble), served, self.directions, self.skipped))

    def sources(self) -> list[Language]:
        """Languages to translate from, by English name."""
        return _by_name({direction.source for direction in self.directions})

    def targets(self, source: str) -> list[Language]:
        """Languages that `source` can be translated to: those that a delta teaches first."""
        codes = {direction.target for direction in self.directions if direction.source == source}
        taught = {adaptation.config.language for adaptation in self.adaptations.values()}
        return _by_name(codes & taught) + _by_name(codes - taught)

    def served(self, source: str | None, target: str | None) -> Direction | None:
        """The direction, where some model serves it."""
        if not source or not target or source == target:
            return None
        direction = Direction(source, target)
        return direction if self.models(direction) else None

    def linked(self, source: str | None, target: str | None) -> Direction | None:
        """What a link asks for, where it is served; of one that names one language, the first direction with it."""
        if source and target:
            return self.served(source, target)
        return next((one for one in self._in_order() if one.source == source or one.target == target), None)

    def first_direction(self, reads: str | None = None) -> Direction | None:
        """What a new visitor sees: into the first language that was taught here.

        Args:
            reads: two-letter code of a language that the visitor reads; from that one where it can be.
        """
        theirs = (one for one in self._taught() if get_language(one.source).iso639_1 == reads)
        return next(theirs, next(iter(self._in_order()), None))

    def _taught(self) -> list[Direction]:
        return [one for adaptation in self.adaptations.values() for one in adaptation.directions]

    def _in_order(self) -> list[Direction]:
        """What was taught here first, then what the base serves."""
        return [*self._taught(), *self.directions]

    def model(self, direction: Direction) -> str:
        """Name of the model that serves a direction best; the base where none does any more."""
        return next(iter(self.models(direction)), BASE)

    def adaptation(self, direction: Direction) -> Adaptation | None:
        """The delta that serves a direction; None where the base itself does."""
        return self.adaptations.get(self.model(direction))

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
        if time.monotonic() - self._looked < self.settings.refresh_seconds or self._arrivals.looking:
            return
        if self.state == "ready":
            threading.Thread(target=self.look, name="look for deltas", daemon=True).start()
        elif isinstance(self.trouble, HubError):  # it may be back
            self._looked = time.monotonic()
            self.load_soon()

    def look(self) -> None:
        """Serve what is there now: new deltas come, changed ones are read again, those that are gone go."""
        self._look(self.translator)

    def _look(self, translator: Translator) -> None:
        try:
            if self._arrivals.look(translator):
                self._looked = time.monotonic()
        except Exception:  # a strange disk or Hub must not take down what is served
            log.exception("could not look for deltas")

    def leave_out(self, name: str, error: CogsymError) -> None:
        """Go without an adaptation whose delta turned out to be unusable, until that delta changes."""
        self._arrivals.leave_out(self.translator, name, error)


def foresee(settings: Settings, device: Device | None = None, *, strict: bool = False) -> Catalogue:
    """A catalogue of what the settings name, nothing of it loaded yet.

    Args:
        strict: refuse a delta that is named and cannot be served, after asking the Hub for what is not here.

    Raises:
        CogsymError: if the base is named and cannot be had, or `strict` refuses.
    """
    seen = preview(settings, ask_hub=strict)
    if strict:
        require_named(seen, settings)
    return Catalogue(settings, device or Device("own"), seen)


def open_catalogue(settings: Settings, device: Device | None = None) -> Catalogue:
    """The base in memory and every delta that fits it.

    Raises:
        CogsymError: if there is no base to serve; a broken delta is only left out.
    """
    catalogue = foresee(settings, device)
    catalogue.load()
    return catalogue


def _until(stop: threading.Event, steps: Iterator) -> Iterator:  # type: ignore[type-arg]
    """The steps of another process, which cannot see `stop`, until it is set here."""
    with closing(steps) as steps:  # type: ignore[type-var]
        for step in steps:
            yield step
            if stop.is_set():
                return


def _by_name(codes: set[str]) -> list[Language]:
    return sorted((get_language(code) for code in codes), key=lambda language: language.names.english)
