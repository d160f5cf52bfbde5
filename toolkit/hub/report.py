"""What a publication did, or would do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import HubError
from toolkit.hub.checks import Check, failed
from toolkit.hub.contents import PublishedFile

Smoke = Callable[[Path], str]
"""Uses a downloaded repository as a stranger would (merge, translate one sentence) and says what came out."""


@dataclass(frozen=True)
class PublishReport:
    """What was, or with `dry_run` would be, published."""

    target: str
    files: tuple[PublishedFile, ...]
    left_out: tuple[str, ...]
    checks: tuple[Check, ...]
    dry_run: bool = False
    changed: bool = False
    """Whether something was written; False where the target held exactly this already."""
    uploads: tuple[str, ...] = ()
    """Paths that differ from what is there now."""
    deletions: tuple[str, ...] = ()
    """Paths of the older publication that this one no longer has."""
    url: str | None = None
    commit: str | None = None
    commit_url: str | None = None
    pull_request: int | None = None
    verified_files: int = 0
    """Files that were read back from the target and had the right digest."""
    smoke: str | None = None
    """What the smoke test said, where one was given."""
    notes: tuple[str, ...] = ()
    """What was done around it, or did not work and did no harm."""

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without paths of this machine."""
        plain = asdict(self)
        plain["files"] = [
            {"path": file.path, "size_bytes": file.size_bytes, "sha256": file.sha256} for file in self.files
        ]
        return plain | {"ok": self.ok, "size_bytes": self.size_bytes}


def refusal(name: str, checks: tuple[Check, ...]) -> HubError:
    """The error that says why the run of this name is not published."""
    problems = failed(checks)
    return HubError(
        f"{name} is not ready to be published:\n" + "\n".join(f"  - {problem}" for problem in problems),
        "correct these and publish again; `--dry-run` repeats the checks",
    )
