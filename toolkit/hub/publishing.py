"""Plan, check, push, verify: publishes a run, and reports what was found on the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolkit.errors import HubError
from toolkit.hub.checks import Check, check_run, failed
from toolkit.hub.contents import Contents, PublishedFile, list_contents
from toolkit.hub.local import check_replaceable, publish_locally, same_contents
from toolkit.hub.target import Target, parse_target
from toolkit.run_folder import RunFolder

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
    pull_request: int | None = None
    verified_files: int = 0
    """Files that were read back from the target and had the right digest."""
    smoke: str | None = None
    """What the smoke test said, where one was given."""
    notes: tuple[str, ...] = field(default=())
    """What did not work and did no harm."""

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


def publish(
    run: RunFolder,
    target: str | os.PathLike[str],
    *,
    dry_run: bool = False,
    create_pr: bool = False,
    private: bool = False,
    revision: str | None = None,
    smoke: Smoke | None = None,
) -> PublishReport:
    """Publish a run to a local folder or to the Hub.

    Args:
        run: the run folder; only what `toolkit.hub.contents.PUBLISHED` lists is taken from it.
        target: `org/name`, or a folder (see `toolkit.hub.target`). A `Path` is always a folder.
        dry_run: check and list everything, write nothing. The report then may hold failed checks.
        create_pr: open a pull request instead of changing the repository, or go on with the one opened before.
        private: make a repository that has to be created private.
        revision: branch of the Hub repository, created where it is missing, or `refs/pr/N`.
        smoke: called with a fresh copy of what was published.

    Raises:
        HubError: if a check fails, or the Hub refuses.
        OutputError: if a local target holds something else.
    """
    place = parse_target(target)
    contents = list_contents(run.root)
    checks = check_run(run, contents)
    report = PublishReport(str(place), contents.files, contents.left_out, checks, dry_run=dry_run)
    if not report.ok and not dry_run:
        raise refusal(run, checks)
    if place.folder is not None:
        _refuse_hub_options(place, create_pr=create_pr, private=private, revision=revision)
        return _to_folder(place.folder, contents, report, smoke)
    raise NotImplementedError


def refusal(run: RunFolder, checks: tuple[Check, ...]) -> HubError:
    """The error that says why a run is not published."""
    problems = failed(checks)
    return HubError(
        f"{run.root.name} is not ready to be published:\n" + "\n".join(f"  - {problem}" for problem in problems),
        "correct these and publish again; `--dry-run` repeats the checks",
    )


def _refuse_hub_options(place: Target, *, create_pr: bool, private: bool, revision: str | None) -> None:
    if create_pr or private or revision:
        raise HubError(
            f"pull requests, private repositories and revisions exist on the Hub, but {place} is a local folder",
            "leave these options out, or publish to org/name",
        )


def _to_folder(folder: Path, contents: Contents, report: PublishReport, smoke: Smoke | None) -> PublishReport:
    """Publish into a folder, then read it back."""
    check_replaceable(folder)
    changed = not same_contents(folder, contents)
    before = {file.path: file for file in list_contents(folder).files} if folder.is_dir() else {}
    uploads = tuple(f.path for f in contents.files if f.path not in before or before[f.path].sha256 != f.sha256)
    deletions = tuple(sorted(set(before) - {file.path for file in contents.files}))
    found = {"changed": changed, "uploads": uploads, "deletions": deletions, "url": str(folder)}
    if report.dry_run:
        return _with(report, found | {"changed": False})
    if changed:
        publish_locally(folder, contents)
        if not same_contents(folder, contents):
            raise HubError(f"{folder} does not hold what was just written to it", "check the disk, and publish again")
    found |= {"verified_files": len(contents.files), "smoke": smoke(folder) if smoke else None}
    return _with(report, found)


def _with(report: PublishReport, changes: dict[str, Any]) -> PublishReport:
    from dataclasses import replace

    return replace(report, **changes)
