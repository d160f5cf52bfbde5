"""The languages and models that the page offers; a delta that cannot be used is left out, with the reason."""

from __future__ import annotations

import logging
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from settings import Settings

from toolkit.errors import CogsymError
from toolkit.languages import Direction, Language, get_language
from toolkit.routing import BASE, Adaptation
from toolkit.translator import Translator

log = logging.getLogger("cogsym.page")


@dataclass(frozen=True)
class Skipped:
    """A delta that the page goes without."""

    name: str
    reason: str


@dataclass(frozen=True)
class Catalogue:
    """One translator, and what could not be added to it."""

    translator: Translator
    skipped: tuple[Skipped, ...]

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

    def first_direction(self) -> Direction | None:
        """What a new visitor sees: into the first language that was taught here."""
        for adaptation in self.translator.adaptations.values():
            if adaptation.directions:
                return adaptation.directions[0]
        return next(iter(self.translator.directions), None)

    def model(self, direction: Direction) -> str:
        """Name of the model that serves a direction best."""
        return self.translator.models(direction)[0]

    def adaptation(self, direction: Direction) -> Adaptation | None:
        """The delta that serves a direction; None where the base itself does."""
        return self.translator.adaptations.get(self.model(direction))

    def comparable(self, direction: Direction) -> bool:
        """Whether an adaptation serves the direction, so that the base beside it shows what was learned."""
        return self.model(direction) != BASE


def open_catalogue(settings: Settings) -> Catalogue:
    """The base in memory and every delta that fits it.

    Raises:
        CogsymError: if there is no base to serve; a broken delta is only left out.
    """
    skipped: list[Skipped] = []
    translator: Translator | None = None
    for delta in settings.deltas:
        name, revision = _name_and_revision(delta)
        shown = Path(name).name  # never a path of this machine
        try:
            if translator is None:
                translator = Translator.from_pretrained(
                    name, settings.base, base_revision=settings.base_revision, revision=revision
                )
            else:
                translator.add(name, revision=revision)
        except CogsymError as error:
            log.warning("left out %s: %s", shown, error)
            skipped.append(Skipped(shown, _without_folders(error.message)))
        except Exception as error:  # a hostile file may fail in any way, and the others must go on
            log.exception("left out %s", shown)
            skipped.append(Skipped(shown, f"it cannot be read ({type(error).__name__})"))
    if translator is None:
        translator = Translator.from_pretrained((), settings.base, base_revision=settings.base_revision)
    return Catalogue(translator, tuple(skipped))


def label(language: Language) -> str:
    """`Basa Jawa · Javanese · jav`: what the choice shows, and what typing into it searches."""
    names = [language.names.own]
    if language.names.english != language.names.own:
        names.append(language.names.english)
    plain = _without_accents(language.names.own)
    if plain.casefold() != language.names.own.casefold():
        names.append(plain)
    return " · ".join([*names, language.code])


def _name_and_revision(delta: str) -> tuple[str, str | None]:
    """`org/name@commit` in its two parts; a folder is taken as it is."""
    if Path(delta).expanduser().exists():
        return delta, None
    name, _, revision = delta.partition("@")
    return name, revision or None


def _without_folders(message: str) -> str:
    """The message with only the last part of each path: visitors need not know this machine."""
    return re.sub(r"(?:~|\.{1,2})?(?:/[^\s/'\":]+)+/(?=[^\s/])", "", message)


def _without_accents(text: str) -> str:
    return "".join(mark for mark in unicodedata.normalize("NFD", text) if not unicodedata.combining(mark))


def _by_name(codes: set[str]) -> list[Language]:
    return sorted((get_language(code) for code in codes), key=lambda language: language.names.english)
