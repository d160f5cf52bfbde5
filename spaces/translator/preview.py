"""What can be told of the models before any of them is loaded: from configs, records and the names of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from offers import Offer, folder_offers, named_offers
from settings import Settings

from toolkit import hub
from toolkit.delta import read_base_info
from toolkit.errors import CogsymError
from toolkit.languages import Direction
from toolkit.pretrained import base_of, is_hub_id, resolve_base, resolve_delta
from toolkit.routing import Adaptation, free_name, read_adaptation, routes
from toolkit.run_folder import RunFolder
from toolkit.translator import base_name, known_languages


@dataclass(frozen=True)
class Preview:
    """What the page will serve once the model is there, unless a file turns out to be damaged."""

    base_id: str
    adaptations: Mapping[str, Adaptation] = field(default_factory=dict)
    refused: Mapping[Offer, Exception] = field(default_factory=dict)

    @property
    def directions(self) -> tuple[Direction, ...]:
        return tuple(self._routes())

    def models(self, direction: Direction) -> tuple[str, ...]:
        """Names of the models that will serve a direction, the best first."""
        return self._routes().get(direction, ())

    def _routes(self) -> dict[Direction, tuple[str, ...]]:
        return routes(self.adaptations, known_languages(self.base_id))


def preview(settings: Settings, *, ask_hub: bool = False) -> Preview:
    """What is known of the base and the deltas that the settings name.

    Args:
        ask_hub: whether to ask the Hub for what is not on this machine: small files alone, and only once each. A Space
            does not, because its page has to come up even where the Hub is away.

    Raises:
        CogsymError: if the base is named and cannot be had.
    """
    base_id = None
    if settings.base is not None:
        _check_base(settings.base, settings.base_revision, ask_hub)
        base_id = base_name(settings.base)
    adaptations: dict[str, Adaptation] = {}
    refused: dict[Offer, Exception] = {}
    for offer in [*named_offers(settings), *folder_offers(settings.folder)]:
        try:
            run = _run(offer, ask_hub)
            if run is None:
                continue
            if base_id is None:
                base_id = _base_of(run, ask_hub)
            name = free_name(run.read_config().language, adaptations)
            adaptations[name] = read_adaptation(name, run)
        except Exception as error:  # a hostile file may fail in any way; the others go on
            refused[offer] = error
    return Preview(base_id or base_name(None), adaptations, refused)


def require_named(seen: Preview, settings: Settings) -> None:
    """Stop if a delta that the settings name by itself cannot be served: whoever named it wants to know at once.

    Raises:
        CogsymError: what is wrong with the first of them.
    """
    for offer in named_offers(settings):
        if offer in seen.refused:
            raise seen.refused[offer]


def _run(offer: Offer, ask_hub: bool) -> RunFolder | None:
    """The delta's folder, on the Hub with no more than its config; None where only downloading would tell."""
    if Path(offer.place).expanduser().exists() or not is_hub_id(offer.place):
        return resolve_delta(offer.place)
    try:
        return RunFolder(hub.fetch_config(offer.place, revision=offer.revision, local_files_only=not ask_hub))
    except CogsymError:
        if ask_hub:
            raise
        return None


def _base_of(run: RunFolder, ask_hub: bool) -> str:
    base = run.read_config().base
    if is_hub_id(base.id):
        _check_base(base.id, base.revision, ask_hub)
    else:
        read_base_info(base_of(run))
    return base.id


def _check_base(base: str, revision: str | None, ask_hub: bool) -> None:
    """The headers of a base that is here, without its weights; of one that is not, whether it is there."""
    if Path(base).expanduser().is_dir() or not is_hub_id(base):
        read_base_info(resolve_base(base))
    elif ask_hub:
        hub.fetch_config(base, revision=revision)
