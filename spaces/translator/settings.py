"""What the page serves, read from the environment: a Space sets these as variables, `cogsym space serve` as options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where the models come from and where feedback goes."""

    base: str | None = None  # `pocket`, a folder or a Hub id; None: the base that the first delta names
    base_revision: str | None = None
    deltas: tuple[str, ...] = field(default=())  # run folders or Hub ids, a Hub id with @revision where pinned
    feedback: Path | None = None  # folder for what visitors tell; None: the page does not ask


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in `COGSYM_BASE`, `COGSYM_BASE_REVISION`, `COGSYM_DELTAS` (one a line) and `COGSYM_FEEDBACK`."""
    feedback = environment.get("COGSYM_FEEDBACK")
    lines = (line.strip() for line in environment.get("COGSYM_DELTAS", "").splitlines())
    return Settings(
        base=environment.get("COGSYM_BASE") or None,
        base_revision=environment.get("COGSYM_BASE_REVISION") or None,
        deltas=tuple(line for line in lines if line),
        feedback=Path(feedback) if feedback else None,
    )
