"""What happens when a visitor types, translates, stops, swaps or tells us something; no layout here."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import islice

from arrivals import reason, without_folders
from catalogue import Catalogue
from gradio import Error
from interface_texts import number, say
from language_names import written_in

from toolkit.errors import CogsymError, DeltaError
from toolkit.languages import Direction, get_language
from toolkit.passage import Partial
from toolkit.routing import BASE
from toolkit.translator import Alternatives

log = logging.getLogger("cogsym.page")

LIMIT_CHARACTERS = 5_000
ALTERNATIVE_SENTENCES = 8  # more would be a long wait, for a list that nobody reads
_LONGEST_CODE = 20  # characters of an unknown one, which may be anything that a link holds
STEP_SECONDS = 0.05  # a page that is told more often only flickers


@dataclass(frozen=True)
class View:
    """What the page shows at one moment of a translation. Text is text; only `status` and `problem` are HTML."""

    translation: str
    base_translation: str
    status: str
    problem: str
    running: bool


class Running:
    """The translations under way, one a visitor, so that each can be stopped."""

    def __init__(self) -> None:
        self._stops: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def start(self, visitor: str) -> threading.Event:
        """A new translation; the visitor's earlier one stops."""
        with self._lock:
            if earlier := self._stops.get(visitor):
                earlier.set()
            self._stops[visitor] = stop = threading.Event()
            return stop

    def stop(self, visitor: str) -> None:
        with self._lock:
            if stop := self._stops.get(visitor):
                stop.set()

    def finish(self, visitor: str, stop: threading.Event) -> None:
        with self._lock:
            if self._stops.get(visitor) is stop:
                del self._stops[visitor]


def problem_with(catalogue: Catalogue, text: str, source: str | None, target: str | None, interface: str) -> str | None:
    """Why this text cannot be translated, in the visitor's words; None where it can.

    Before the model is there, nobody can tell how long a sentence is to it.
    """
    direction = catalogue.served(source, target)
    if direction is None:
        if not source or not target:
            return say(interface, "no_language")
        return say(interface, "no_direction", source=_name(source), target=_name(target))
    if not text.strip():
        return say(interface, "nothing")
    if len(text) > LIMIT_CHARACTERS:
        return say(interface, "too_many", count=number(interface, len(text)), limit=number(interface, LIMIT_CHARACTERS))
    if catalogue.state != "ready":
        return None
    length = catalogue.translator.length(text, direction)
    if not length.fits:
        begin = length.longest[:50] + "…"
        return say(interface, "too_long", count=length.longest_tokens, limit=length.limit_tokens, sentence=begin)
    return None


def problem_with_link(source: str | None, target: str | None, shown: Direction | None, interface: str) -> str | None:
    """What to say where a link names languages and others are shown; None where it names none, or these."""
    asked = Direction(source or (shown.source if shown else ""), target or (shown.target if shown else ""))
    if not (source or target) or asked == shown:
        return None
    if shown is None:
        return say(interface, "no_direction", source=_name(asked.source), target=_name(asked.target))
    names = {"source": asked.source, "target": asked.target, "from_shown": shown.source, "to_shown": shown.target}
    return say(interface, "linked_elsewhere", **{field: _name(code) for field, code in names.items()})


def counter(text: str, interface: str) -> str:
    """How much of the room is used."""
    over = " over" if len(text) > LIMIT_CHARACTERS else ""
    words = say(interface, "counter", count=number(interface, len(text)), limit=number(interface, LIMIT_CHARACTERS))
    return f'<span class="counter{over}">{escape(words)}</span>'


def problem_html(problem: str | None) -> str:
    return f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""


def translate(
    catalogue: Catalogue,
    running: Running,
    visitor: str,
    text: str,
    source: str,
    target: str,
    compare: bool,
    interface: str,
) -> Iterator[View]:
    """The views of one translation, from the click to the end; with `compare` the base follows."""
    problem = problem_with(catalogue, text, source, target, interface)
    if problem:
        yield View("", "", "", problem_html(problem), False)
        return
    direction, model = Direction(source, target), BASE
    stop = running.start(visitor)
    try:
        if catalogue.state != "ready":
            yield View("", "", _status(say(interface, "loading_translate")), "", True)
            if not catalogue.wait(stop):
                yield View("", "", _status(say(interface, "stopped")), "", False)
                return
            problem = problem_with(catalogue, text, source, target, interface)
            if problem:
                yield View("", "", "", problem_html(problem), False)
                return
        model = catalogue.model(direction)
        yield from _views(catalogue, text, direction, model, compare, interface, stop)
    except Exception as error:
        yield View("", "", "", problem_html(_excuse(catalogue, model, error, interface)), False)
    finally:
        stop.set()
        running.finish(visitor, stop)


def alternatives(
    catalogue: Catalogue, running: Running, visitor: str, text: str, source: str, target: str, interface: str
) -> Iterator[tuple[str, bool]]:
    """Other translations as HTML, sentence by sentence, and whether more is coming; the text is one that was
    translated before."""
    direction = catalogue.served(source, target)
    problem = problem_with(catalogue, text, source, target, interface)
    if problem or direction is None:
        yield problem_html(problem), False
        return
    model = catalogue.model(direction)
    stop = running.start(visitor)
    found: list[str] = []
    try:
        yield _status(say(interface, "working")), True
        for one in islice(catalogue.alternatives(text, direction, stop), ALTERNATIVE_SENTENCES):
            found.append(_alternatives_html(one, source, target, interface))
            yield "".join(found), True
        note = "alternatives_some" if len(found) == ALTERNATIVE_SENTENCES else "alternatives_help"
        yield "".join([*found, f'<p class="quiet">{escape(say(interface, note, count=len(found)))}</p>']), False
    except Exception as error:
        yield "".join([*found, problem_html(_excuse(catalogue, model, error, interface))]), False
    finally:
        stop.set()
        running.finish(visitor, stop)


def _alternatives_html(one: Alternatives, source: str, target: str, interface: str) -> str:
    """One sentence with its translations; a click on one copies it."""
    language = get_language(target)
    rows = "".join(
        f'<li><button type="button" class="alternative" {written_in(language)}>{escape(other.text)}</button>'
        f'<span class="certainty" title="{escape(say(interface, "certainty_help"))}">{other.certainty:.0%}</span></li>'
        for other in one.found
    )
    return (
        f'<div class="alternatives"><p class="quiet" {written_in(get_language(source))}>{escape(one.sentence)}</p>'
        f'<ol dir="{language.direction}">{rows}</ol></div>'
        if one.found
        else f'<p class="quiet">{escape(say(interface, "alternatives_none", sentence=one.sentence[:60]))}</p>'
    )


def _excuse(catalogue: Catalogue, model: str, error: Exception, interface: str) -> str:
    """What a visitor is told of a failure; the log gets the rest, and the page stays up."""
    if error is catalogue.trouble:
        return say(interface, "not_loaded", reason=reason(error))
    if isinstance(error, DeltaError):  # damaged since it was opened
        catalogue.leave_out(model, error)
    if model != BASE and model not in catalogue.adaptations:
        return say(interface, "delta_failed")
    if isinstance(error, CogsymError):
        return without_folders(error.message)
    if isinstance(error, Error):  # what ZeroGPU has to say, such as that a visitor's quota is used up
        return re.sub(r"<[^>]*>", "", str(error.message))
    log.error("translation failed", exc_info=error)
    return say(interface, "failed")


def _views(
    catalogue: Catalogue,
    text: str,
    direction: Direction,
    model: str,
    compare: bool,
    interface: str,
    stop: threading.Event,
) -> Iterator[View]:
    waiting = _status(say(interface, "working"))
    yield View("", "", waiting, "", True)
    begin, last = time.perf_counter(), None
    for last in _paced(catalogue.stream(text, direction, model, stop)):
        yield View(last.text, "", waiting, "", True)
    seconds = time.perf_counter() - begin
    if last is None:
        return
    if stop.is_set():
        yield View(last.text, "", _status(say(interface, "stopped")), "", False)
        return
    status, problem = _outcome(last, seconds, interface)
    base: Partial | None = None
    if compare and catalogue.comparable(direction):
        for base in _paced(catalogue.stream(text, direction, BASE, stop)):
            yield View(last.text, base.text, status, problem, True)
    if stop.is_set():
        status = _status(say(interface, "stopped"))
    yield View(last.text, base.text if base else "", status, problem, False)


def _paced(stream: Iterator[Partial]) -> Iterator[Partial]:
    """Some of the steps, and always the first words and the end."""
    shown, kept = 0.0, None
    started = False
    for partial in stream:
        kept = partial
        now = time.perf_counter()
        if now - shown >= STEP_SECONDS or (partial.text and not started):
            shown, started, kept = now, bool(partial.text), None
            yield partial
    if kept is not None:
        yield kept


def _outcome(last: Partial, seconds: float, interface: str) -> tuple[str, str]:
    speed = say(interface, "speed", seconds=f"{seconds:.1f}", speed=f"{last.tokens / max(seconds, 1e-9):.0f}")
    problem = say(interface, "unended", sentence=last.unended[0][:60]) if last.unended else None
    return _status(speed), problem_html(problem)


def _status(text: str) -> str:
    return f'<span class="status">{escape(text)}</span>'


def _name(code: str | None) -> str:
    try:
        return get_language(code or "").names.own
    except CogsymError:
        return (code or "—")[:_LONGEST_CODE]
