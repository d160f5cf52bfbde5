"""What the page serves, read from the environment: a Space sets these as variables, `cogsym space serve` as options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where the models come from and where feedback goes."""

    base: str | None = None  # `pocket`, a folder or a Hub id; None: the base that the first delta names
    base_revision: str | None = None
    deltas: tuple[str, ...] = ()  # run folders or Hub ids, a Hub id with @revision where pinned
    folder: Path | None = None  # each delta that comes into this folder is offered
    owners: tuple[str, ...] = ()  # each delta that these accounts publish on the Hub for the same base is offered
    feedback: Path | None = None  # folder for what visitors tell; None: the page does not ask
    feedback_dataset: str | None = None  # data set on the Hub to which that folder is sent
    refresh_seconds: float = 60.0  # how often the page looks for new deltas, while somebody visits


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in the variables `COGSYM_...` that the page's README lists; lists hold one entry a line."""

    def lines(name: str) -> tuple[str, ...]:
        return tuple(line.strip() for line in environment.get(name, "").splitlines() if line.strip())

    def folder(name: str) -> Path | None:
        return Path(environment[name]) if environment.get(name) else None

    dataset = environment.get("COGSYM_FEEDBACK_DATASET") or None
    return Settings(
        base=environment.get("COGSYM_BASE") or None,
        base_revision=environment.get("COGSYM_BASE_REVISION") or None,
        deltas=lines("COGSYM_DELTAS"),
        folder=folder("COGSYM_FOLDER"),
        owners=lines("COGSYM_OWNERS"),
        feedback=folder("COGSYM_FEEDBACK") or (Path("feedback") if dataset else None),
        feedback_dataset=dataset,
    )
