"""Plan, check, push, verify: publishes a run, and reports what was found on the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.utils import get_token

from toolkit.errors import CogsymError, HubError
from toolkit.hub.checks import Check, check_run, failed
from toolkit.hub.client import hub_client
from toolkit.hub.contents import Contents, PublishedFile, list_contents
from toolkit.hub.failures import LOG_IN, hub_errors
from toolkit.hub.local import check_replaceable, publish_locally, same_contents
from toolkit.hub.push import plan_push, push, verify_pushed
from toolkit.hub.remote import RemoteState, validate_on_hub
from toolkit.hub.surroundings import add_to_collection, point_to_new_version
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


def publish(
    run: RunFolder,
    target: str | os.PathLike[str],
    *,
    dry_run: bool = False,
    create_pr: bool = False,
    private: bool = False,
    revision: str | None = None,
    smoke: Smoke | None = None,
    verify: bool = True,
    collection: str | None = None,
    replaces: str | None = None,
    endpoint: str | None = None,
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
        verify: download what was published afresh, and hash it.
        collection: title of a collection of the target's owner, made where it is missing, to list the repository in.
        replaces: older Hub repository, whose card will point to this one.
        endpoint: address of the Hub; default HF_ENDPOINT, else the public one.

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
        _refuse_hub_options(place, create_pr, private, revision, collection, replaces)
        return _to_folder(place.folder, contents, report, smoke)
    assert place.repo_id is not None
    if not report.ok:
        return report
    api = hub_client(endpoint)
    with hub_errors(f"publish to {place.repo_id}", place.repo_id, writing=True):
        hub = _HubPush(api, place.repo_id, run, contents, create_pr=create_pr, private=private, revision=revision)
        if dry_run:
            return hub.plan(report)[0]
        report = hub.push(report, smoke, verify=verify)
    # A pull request is no publication yet, so nothing points to it.
    return report if report.pull_request else replace(report, notes=hub.update_surroundings(collection, replaces))


def refusal(run: RunFolder, checks: tuple[Check, ...]) -> HubError:
    """The error that says why a run is not published."""
    problems = failed(checks)
    return HubError(
        f"{run.root.name} is not ready to be published:\n" + "\n".join(f"  - {problem}" for problem in problems),
        "correct these and publish again; `--dry-run` repeats the checks",
    )


def _refuse_hub_options(place: Target, *options: object) -> None:
    if any(options):
        raise HubError(
            f"pull requests, private repositories, revisions and collections exist on the Hub, but {place} is a folder",
            "leave these options out, or publish to org/name",
        )


def _to_folder(folder: Path, contents: Contents, report: PublishReport, smoke: Smoke | None) -> PublishReport:
    """Publish into a folder, then read it back."""
    check_replaceable(folder)
    before = {file.path: file for file in list_contents(folder).files} if folder.is_dir() else {}
    uploads = tuple(f.path for f in contents.files if f.path not in before or before[f.path].sha256 != f.sha256)
    deletions = tuple(sorted(set(before) - {file.path for file in contents.files}))
    report = replace(report, uploads=uploads, deletions=deletions, url=str(folder))
    if report.dry_run:
        return report
    changed = not same_contents(folder, contents)
    if changed:
        publish_locally(folder, contents)
        if not same_contents(folder, contents):
            raise HubError(f"{folder} does not hold what was just written to it", "check the disk, and publish again")
    said = smoke(folder) if smoke else None
    return replace(report, changed=changed, verified_files=len(contents.files), smoke=said)


@dataclass(frozen=True)
class _HubPush:
    """One publication to one Hub repository."""

    api: HfApi
    repo_id: str
    run: RunFolder
    contents: Contents
    _: KW_ONLY
    create_pr: bool
    private: bool
    revision: str | None

    def plan(self, report: PublishReport) -> tuple[PublishReport, RemoteState]:
        """What would change there, and what the Hub thinks of the card; writes nothing."""
        complaints = validate_on_hub(self.api, self.run.card.read_text(encoding="utf-8"))
        state = plan_push(self.api, self.repo_id, title=self._title, create_pr=self.create_pr, revision=self.revision)
        report = replace(
            report,
            checks=(*report.checks, Check("card, by the Hub", complaints)),
            uploads=tuple(file.path for file in state.uploads(self.contents)),
            deletions=state.deletions(self.contents),
            url=f"{self.api.endpoint}/{self.repo_id}",
            pull_request=state.pull_request,
        )
        return report, state

    def push(self, report: PublishReport, smoke: Smoke | None, *, verify: bool) -> PublishReport:
        """Plan, push in one commit, read back."""
        if get_token() is None:
            raise HubError(f"cannot publish to {self.repo_id}: you are not logged in", LOG_IN)
        report, state = self.plan(report)
        if not report.ok:
            raise refusal(self.run, report.checks)
        pushed = push(
            self.api,
            self.repo_id,
            self.contents,
            state,
            title=self._title,
            create_pr=self.create_pr,
            private=self.private,
        )
        report = replace(
            report, changed=pushed.changed, url=pushed.url, commit=pushed.commit, pull_request=pushed.pull_request
        )
        if verify or smoke:
            verified, said = verify_pushed(self.api, self.repo_id, pushed.commit, self.contents, smoke)
            report = replace(report, verified_files=verified, smoke=said)
        return report

    def update_surroundings(self, collection: str | None, replaces: str | None) -> tuple[str, ...]:
        """List it in the collection, and point to it from the older card; where that fails, say so and go on."""
        notes = []
        if collection:
            try:
                with hub_errors(f"update the collection '{collection}'", collection, writing=True):
                    place = add_to_collection(self.api, collection, self.repo_id, _summary(self.run))
                notes.append(f"listed in {place}")
            except CogsymError as error:
                notes.append(str(error))
        if replaces:
            try:
                with hub_errors(f"point from {replaces} to the new version", replaces, writing=True):
                    point_to_new_version(self.api, replaces, self.repo_id)
                notes.append(f"{replaces} points to {self.repo_id}")
            except CogsymError as error:
                notes.append(str(error))
        return tuple(notes)

    @property
    def _title(self) -> str:
        """The same for every version, as a pull request is found again by it."""
        return f"Publish the CogSym delta for {self.run.read_config().language}"


def _summary(run: RunFolder) -> str:
    """Language, base and scores in one line, for lists."""
    config = run.read_config()
    adapted = [record for record in run.read_evaluations() if record.model == "adapted" and record.role == "target"]
    scores = [f"{r.direction} {score.metric} {score.value:.1f}" for r in adapted for score in r.scores[:1]]
    return f"{config.language} on {config.base.id}: {', '.join(scores) or 'not measured'}"
