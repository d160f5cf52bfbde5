"""What a Hub repository holds now, and what publishing would change in it; reads only."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, get_session
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from hub_cards.space import is_space_card
from toolkit.errors import HubError
from toolkit.hub.contents import DELTA, Contents, Layout, PublishedFile

_PULL_REQUEST = re.compile(r"refs/pr/(\d+)")
_WEIGHTS = {".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".onnx", ".msgpack"}


@dataclass(frozen=True)
class RemoteState:
    """A repository at the revision that is about to be written."""

    exists: bool
    """Whether the repository is there at all."""
    revision: str
    """Branch, or `refs/pr/N`."""
    commit: str | None = None
    """Where the revision points; None where it has to be made."""
    files: dict[str, RepoFile] = field(default_factory=dict)

    @property
    def pull_request(self) -> int | None:
        match = _PULL_REQUEST.fullmatch(self.revision)
        return int(match.group(1)) if match else None

    def uploads(self, contents: Contents) -> tuple[PublishedFile, ...]:
        """The files that are not there yet, or differ."""
        return tuple(file for file in contents.files if not self._holds(file))

    def deletions(self, contents: Contents) -> tuple[str, ...]:
        """Paths of an older publication that this one no longer has; files that people added stay."""
        new = {file.path for file in contents.files}
        return tuple(sorted(path for path in self.files if contents.layout.holds(path) and path not in new))

    def _holds(self, file: PublishedFile) -> bool:
        there = self.files.get(file.path)
        if there is None or there.size != file.size_bytes:
            return False
        return there.lfs.sha256 == file.sha256 if there.lfs else there.blob_id == file.git_oid


def read_remote(api: HfApi, repo_id: str, revision: str | None, layout: Layout = DELTA) -> RemoteState:
    """The state of a repository, which may not exist yet, at a branch, which may not exist yet either.

    Raises:
        HubError: if it holds something of another kind, or if the pull request does not exist.
    """
    wanted, kind = revision or "main", layout.repo_type
    try:
        commit = api.repo_info(repo_id, revision=wanted, repo_type=kind).sha
    except GatedRepoError:
        raise
    except RepositoryNotFoundError:
        if wanted.startswith("refs/"):
            raise
        return RemoteState(False, wanted)
    except RevisionNotFoundError:
        if wanted.startswith("refs/"):
            raise
        # A new branch starts from main, so what main holds is what the branch will be compared with.
        start = read_remote(api, repo_id, "main", layout)
        return RemoteState(True, wanted, None, start.files)
    entries = api.list_repo_tree(repo_id, recursive=True, revision=commit, repo_type=kind)
    files = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
    state = RemoteState(True, wanted, commit, files)
    (_check_delta if layout is DELTA else _check_space)(api, repo_id, state)
    return state


def find_pull_request(api: HfApi, repo_id: str, title: str, layout: Layout = DELTA) -> str | None:
    """The revision of the open pull request of this title that this account opened before, as `refs/pr/N`."""
    author = api.whoami()["name"]
    for discussion in api.get_repo_discussions(
        repo_id, author=author, discussion_type="pull_request", discussion_status="open", repo_type=layout.repo_type
    ):
        # Not every server heeds the filters, hence all are tested here.
        found = (discussion.author, discussion.is_pull_request, discussion.status, discussion.title)
        if found == (author, True, "open", title):
            return f"refs/pr/{discussion.num}"
    return None


def validate_on_hub(api: HfApi, card: str, layout: Layout = DELTA) -> tuple[str, ...]:
    """What the Hub itself finds wrong with a card's front matter; nothing is stored."""
    response = get_session().post(
        f"{api.endpoint}/api/validate-yaml",
        json={"content": card, "repoType": layout.repo_type},
        headers=build_hf_headers(token=api.token, library_name=api.library_name),
    )
    if response.status_code == 400:
        with suppress(ValueError):  # not what the Hub answers, but what a proxy may
            errors = response.json().get("errors") or ()
            if errors:
                return tuple(str(error.get("message")) for error in errors)
    hf_raise_for_status(response)
    return ()


def _check_space(api: HfApi, repo_id: str, state: RemoteState) -> None:
    """Make sure that a push here replaces nothing but an older one; a Space just made on its page has a card alone."""
    if set(state.files) <= {"README.md", ".gitattributes"}:
        return
    card = ""
    if "README.md" in state.files:
        path = api.hf_hub_download(repo_id, "README.md", revision=state.commit, repo_type="space")
        card = Path(path).read_text(encoding="utf-8", errors="replace")
    if not is_space_card(card):
        raise HubError(
            f"{repo_id} holds another Space, which a push would overwrite", "give the Space a name of its own"
        )


def _check_delta(api: HfApi, repo_id: str, state: RemoteState) -> None:
    """Make sure that publishing here replaces nothing but an older delta."""
    if "config.json" in state.files:
        path = api.hf_hub_download(repo_id, "config.json", revision=state.commit)
        with open(path, encoding="utf-8") as file:
            try:
                config = json.load(file)
            except ValueError:
                config = None
        if isinstance(config, dict) and config.get("model_type") == "cogsym-delta":
            return
        foreign = "config.json"
    else:
        foreign = next((path for path in state.files if PurePosixPath(path).suffix in _WEIGHTS), "")
    if foreign:
        raise HubError(
            f"{repo_id} holds another model (see its {foreign}), which publishing would overwrite",
            "publish under a name of its own, like org/llama-2-7b-cogsym-jav",
        )
