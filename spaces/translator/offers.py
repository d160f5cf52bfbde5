"""Which deltas there are to serve now: named ones, those in a folder, those that somebody published on the Hub."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from settings import Settings

MAX_PER_OWNER = 100
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Offer:
    """A delta that could be served. It is another one once its `state` is another; an empty one is not known."""

    place: str  # folder or Hub id
    revision: str | None
    state: str

    @property
    def shown(self) -> str:
        """What visitors may read of it: never a path of this machine."""
        return self.place if self.revision and not Path(self.place).is_absolute() else Path(self.place).name

    @property
    def on_hub(self) -> bool:
        """Whether it is no folder of this machine."""
        here = Path(self.place).expanduser()
        return not (here.exists() or here.is_absolute())

    @property
    def moves(self) -> bool:
        """Whether what is on the Hub under this name may become another one: no commit pins it."""
        return self.on_hub and not _COMMIT.fullmatch(self.revision or "")


def named_offers(settings: Settings) -> list[Offer]:
    """The deltas that the settings name, whether they are there or not."""
    return [_offer(delta) for delta in settings.deltas]


def folder_offers(folder: Path | None) -> list[Offer]:
    """The deltas that lie in this folder, by name; a folder that is not there holds none."""
    if folder is None or not folder.is_dir():
        return []
    inside = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith(".")]
    return [_offer(str(path)) for path in sorted(inside) if (path / "config.json").is_file()]


def hub_offers(owner: str, base_id: str) -> list[Offer]:
    """The deltas that an account has published for this base, each pinned to its newest commit.

    Raises:
        HubError: if the Hub cannot be asked.
    """
    from toolkit.hub import newest_commits

    found = newest_commits(owner, base=base_id, limit=MAX_PER_OWNER)
    return [Offer(repo_id, commit, commit) for repo_id, commit in found]


def newest(offer: Offer) -> Offer:
    """The same delta; its state is the commit that it has on the Hub now.

    Its revision stays as it was named, so that the cache knows next time what that name means, even without the Hub.

    Raises:
        HubError: if the Hub cannot be asked, or does not know it.
    """
    from toolkit.hub import newest_commit

    commit = newest_commit(offer.place, offer.revision)
    return replace(offer, state=commit)


def _offer(delta: str) -> Offer:
    """A folder as it is now, or `org/name@commit` in its two parts."""
    path = Path(delta).expanduser()
    if path.exists() or path.is_absolute():
        return Offer(delta, None, _state(path))
    name, _, revision = delta.partition("@")
    offer = Offer(name, revision or None, "")
    return offer if offer.moves else replace(offer, state=revision)


def _state(folder: Path) -> str:
    """Tells whether a folder's delta is still the same, at the cost of a few look-ups."""
    marks = [f"folder {folder.stat().st_ino}" if folder.exists() else "gone"]
    for path in (folder / "config.json", *sorted(folder.glob("*.safetensors*"))):
        with suppress(OSError):
            facts = path.stat()
            marks.append(f"{path.name} {facts.st_size} {facts.st_mtime_ns}")
    return ", ".join(marks)
