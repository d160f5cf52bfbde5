"""Pushes a publication to the Hub: one commit on a known parent, so that the repository is the old or the new one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from toolkit.errors import CogsymError, HubError
from toolkit.hub.contents import DELTA, Contents, Layout, PublishedFile, list_contents
from toolkit.hub.failures import hub_errors
from toolkit.hub.remote import RemoteState, find_pull_request, read_remote


@dataclass(frozen=True)
class Pushed:
    """What a push did."""

    commit: str
    url: str
    """Where people look at it: the repository, or the pull request."""
    pull_request: int | None
    changed: bool


def plan_push(
    api: HfApi, repo_id: str, *, title: str, create_pr: bool, revision: str | None, layout: Layout = DELTA
) -> RemoteState:
    """The repository at the revision that a push will write: the pull request opened before, where there is one."""
    if create_pr and revision not in (None, "main"):
        raise HubError(
            f"a pull request is made against main, not {revision}",
            "leave out --revision; to go on with a pull request give --revision refs/pr/N without --create-pr",
        )
    state = read_remote(api, repo_id, revision, layout)
    if create_pr and not state.exists:
        raise HubError(
            f"{repo_id} does not exist, so there is nothing to open a pull request against",
            "check the spelling, or leave out --create-pr to make it",
        )
    if create_pr:
        opened = find_pull_request(api, repo_id, title, layout)
        if opened is not None:
            return read_remote(api, repo_id, opened, layout)
    return state


def push(
    api: HfApi,
    repo_id: str,
    contents: Contents,
    state: RemoteState,
    *,
    title: str,
    create_pr: bool,
    private: bool | None,
) -> Pushed:
    """Make the repository hold these files, in one commit on top of the state that was planned for.

    What an interrupted push has uploaded is not uploaded again. Where nothing differs, there is no commit.
    """
    layout = contents.layout
    kind = layout.repo_type
    if not state.exists:
        sdk = "gradio" if kind == "space" else None
        api.create_repo(repo_id, private=private, exist_ok=True, repo_type=kind, space_sdk=sdk)
        state = read_remote(api, repo_id, state.revision, layout)
    if state.commit is None:
        api.create_branch(repo_id, branch=state.revision, exist_ok=True, repo_type=kind)
        state = read_remote(api, repo_id, state.revision, layout)
    uploads, deletions = state.uploads(contents), state.deletions(contents)
    number = state.pull_request
    if not uploads and not deletions:
        assert state.commit is not None
        return Pushed(state.commit, _url(api, repo_id, number, layout), number, changed=False)
    opens = create_pr and number is None
    info = api.create_commit(
        repo_id,
        [
            *(_addition(file) for file in uploads),
            *(CommitOperationDelete(path_in_repo=path, is_folder=False) for path in deletions),
        ],
        commit_message=title,
        revision=None if opens else state.revision,
        create_pr=opens,
        parent_commit=state.commit,
        repo_type=kind,
    )
    number = info.pr_num if opens else number
    return Pushed(info.oid, _url(api, repo_id, number, layout), number, changed=True)


def _addition(file: PublishedFile) -> CommitOperationAdd:
    addition = CommitOperationAdd(path_in_repo=file.path, path_or_fileobj=str(file.source))
    # Known from the checks, and a gigabyte is not hashed for nothing; a file changed since is refused by the storage.
    addition.upload_info.sha256 = bytes.fromhex(file.sha256)
    return addition


def verify_pushed(
    api: HfApi, repo_id: str, commit: str, contents: Contents, smoke: Callable[[Path], str] | None
) -> tuple[int, str | None]:
    """Download what was published afresh, hash every file, and try it out.

    Returns:
        How many files were right, and what the smoke test said.

    Raises:
        HubError: if a file differs, is missing, or the delta does not work.
    """
    with tempfile.TemporaryDirectory(prefix="cogsym-verify-", ignore_cleanup_errors=True) as cache:
        layout = contents.layout
        with hub_errors(f"read back what was published to {repo_id}", repo_id, token=api.token):
            downloaded = api.snapshot_download(
                repo_id,
                revision=commit,
                cache_dir=cache,
                allow_patterns=list(layout.patterns),
                repo_type=layout.repo_type,
            )
        folder = Path(downloaded)
        there = {file.path: file for file in list_contents(folder, layout=layout, follow_links=True).files}
        wrong = [f.path for f in contents.files if f.path not in there or there[f.path].sha256 != f.sha256]
        if wrong:
            raise HubError(
                f"{repo_id}@{commit[:12]} came back different from what was sent: {', '.join(wrong[:3])}",
                "publish again; if it stays, tell the Hub's support",
            )
        return len(contents.files), _try_out(smoke, folder, repo_id) if smoke else None


def _try_out(smoke: Callable[[Path], str], folder: Path, name: str) -> str:
    try:
        return smoke(folder)
    except CogsymError as error:
        raise HubError(f"{name} is published, but does not work: {error.message}", error.hint) from error


def place_on_hub(api: HfApi, repo_id: str, layout: Layout) -> str:
    """The address of a repository's page."""
    return f"{api.endpoint}/{'spaces/' if layout.repo_type == 'space' else ''}{repo_id}"


def _url(api: HfApi, repo_id: str, pull_request: int | None, layout: Layout) -> str:
    place = place_on_hub(api, repo_id, layout)
    return f"{place}/discussions/{pull_request}" if pull_request else place
