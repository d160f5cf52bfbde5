"""Plan, check, push, verify: publishes a run, to a folder or to the Hub."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from hub_cards import CardFacts
from hub_cards.index import collection_note
from toolkit.errors import HubError
from toolkit.hub.checks import check_run
from toolkit.hub.client import hub_client
from toolkit.hub.contents import Contents, list_contents
from toolkit.hub.failures import hub_errors
from toolkit.hub.local import check_replaceable, publish_locally, same_contents
from toolkit.hub.publication import HubPublication
from toolkit.hub.report import PublishReport, Smoke, refusal
from toolkit.hub.surroundings import update_surroundings
from toolkit.hub.target import Target, parse_target
from toolkit.run_folder import RunFolder


def publish(
    run: RunFolder,
    target: str | os.PathLike[str],
    *,
    dry_run: bool = False,
    create_pr: bool = False,
    private: bool | None = None,
    revision: str | None = None,
    commit_message: str | None = None,
    token: str | bool | None = None,
    contents: Contents | None = None,
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
        private: make a repository that has to be created private, or public; default as its owner has set it.
        revision: branch of the Hub repository, created where it is missing, or `refs/pr/N`.
        commit_message: of the one commit, and so the title of a pull request. One that was opened with another
            message is not gone on with.
        token: default the one that you logged in with.
        contents: what goes; default what the run folder holds of it.
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
    contents = contents or list_contents(run.root)
    checks = check_run(run, contents, place.repo_id)
    report = PublishReport(str(place), contents.files, contents.left_out, checks, dry_run=dry_run)
    if not report.ok and not dry_run:
        raise refusal(run.root.name, checks)
    if place.folder is not None:
        refuse_hub_options(place, create_pr, private, revision, commit_message, collection, replaces)
        return publish_to_folder(place.folder, contents, report, smoke)
    assert place.repo_id is not None
    if not report.ok:
        return report
    api = hub_client(endpoint, token)
    with hub_errors(f"publish to {place.repo_id}", place.repo_id, writing=True, token=token):
        hub = HubPublication(
            api,
            place.repo_id,
            contents,
            name=run.root.name,
            title=commit_message or f"Publish the CogSym delta for {run.read_config().language}",
            create_pr=create_pr,
            private=private,
            revision=revision,
        )
        if dry_run:
            return hub.plan(report)[0]
        report = hub.push(report)
    if verify or smoke:
        report = hub.verify(report, smoke)
    if report.pull_request:
        return report  # no publication yet, so nothing points to it
    note = collection_note(CardFacts.read(run.card_facts))
    notes = update_surroundings(api, place.repo_id, note, collection=collection, replaces=replaces)
    return replace(report, notes=notes)


def refuse_hub_options(place: Target, *options: object) -> None:
    """Make sure that nothing is asked of a folder that only the Hub has."""
    if any(options):
        raise HubError(
            f"pull requests, private repositories, commits and collections exist on the Hub, but {place} is a folder",
            "leave these options out, or publish to org/name",
        )


def publish_to_folder(
    folder: Path, contents: Contents, report: PublishReport, smoke: Smoke | None = None
) -> PublishReport:
    """Publish into a folder, then read it back."""
    layout = contents.layout
    check_replaceable(folder, layout)
    before = {file.path: file for file in list_contents(folder, layout=layout).files} if folder.is_dir() else {}
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
