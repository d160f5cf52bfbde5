"""Makes and renews a Space: the translation page over published deltas, each pinned to a commit."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from hub_cards.space import DEFAULT_TITLE, Preload, render_space
from toolkit.errors import HubError
from toolkit.hub.checks import Check, find_bad_files
from toolkit.hub.client import hub_client
from toolkit.hub.contents import SPACE, Contents, list_contents
from toolkit.hub.failures import hub_errors
from toolkit.hub.fetch import BASE_FILES
from toolkit.hub.publication import HubPublication
from toolkit.hub.published import PublishedDelta, find_published, read_published
from toolkit.hub.publishing import publish_to_folder, refuse_hub_options
from toolkit.hub.report import PublishReport, refusal
from toolkit.hub.space_files import app_file, requirements
from toolkit.hub.target import parse_target
from toolkit.records import BaseInfo

# What the page reads of a delta; the rest of its repository need not be there when a Space starts.
_DELTA_FILES = ("config.json", "delta*.safetensors*", "records/*.json", "records/evaluation/*.json")
_PLAIN = re.compile(r"[\w./-]+", re.ASCII)
TITLE = "Update the CogSym translation page"


def push_space(
    target: str | os.PathLike[str],
    deltas: Sequence[str] = (),
    *,
    title: str = DEFAULT_TITLE,
    hardware: str | None = None,
    wheel: Path | None = None,
    dry_run: bool = False,
    create_pr: bool = False,
    private: bool | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    endpoint: str | None = None,
) -> PublishReport:
    """Make a Space that serves these deltas, or renew it; planned, checked, pushed in one commit, and read back.

    Args:
        target: `org/name` of the Space, or a folder (see `toolkit.hub.target`).
        deltas: `org/name` or `org/name@revision`, over one base; default all that the Space's owner has published.
        title: of the Space.
        hardware: to suggest to who copies the Space; default the smallest that the base fits into.
        wheel: of this toolkit, to send along where its version is not on PyPI.
        dry_run: check and list everything, write nothing. The report then may hold failed checks.
        create_pr: open a pull request instead of changing the Space, or go on with the one opened before.
        private: make a Space that has to be created private, or public; default as its owner has set it.
        revision: branch of the Space's repository, or `refs/pr/N`.
        token: default the one that you logged in with.
        endpoint: address of the Hub; default HF_ENDPOINT, else the public one.

    Raises:
        HubError: if a check fails, a delta cannot be served, or the Hub refuses.
        OutputError: if a local target holds something else.
    """
    place = parse_target(target)
    if place.folder is not None:
        refuse_hub_options(place, create_pr, private, revision)
    api = hub_client(endpoint, token)
    with hub_errors(f"prepare the Space {place}", str(place), token=token):
        served, notes = _find(deltas, place.repo_id, token, endpoint)
        preload, asks = _preload(api, served)
    with _draft(served, title, hardware, wheel, preload) as (contents, problems):
        checks = (
            Check("one base", tuple(_base_problems(served))),
            Check("toolkit", problems),
            Check("files", tuple(find_bad_files(contents))),
        )
        report = PublishReport(str(place), contents.files, (), checks, dry_run=dry_run, notes=(*notes, *asks))
        if not report.ok:
            if dry_run:
                return report
            raise refusal(f"the Space {place}", checks)
        if place.folder is not None:
            return publish_to_folder(place.folder, contents, report)
        assert place.repo_id is not None
        with hub_errors(f"push the Space {place}", place.repo_id, writing=True, token=token):
            hub = HubPublication(
                api,
                place.repo_id,
                contents,
                name=f"the Space {place}",
                title=TITLE,
                create_pr=create_pr,
                private=private,
                revision=revision,
            )
            if dry_run:
                return hub.plan(report)[0]
            return hub.verify(hub.push(report), None)


def _find(
    deltas: Sequence[str], space: str | None, token: str | bool | None, endpoint: str | None
) -> tuple[list[PublishedDelta], tuple[str, ...]]:
    """The deltas to serve, and what is said about those that are left out."""
    if deltas:
        return read_published(deltas, token=token, endpoint=endpoint), ()
    if space is None:
        raise HubError("no delta is named", "give --delta ORG/NAME, once for each")
    return find_published(space.partition("/")[0], token=token, endpoint=endpoint)


def _base_problems(served: Sequence[PublishedDelta]) -> Iterator[str]:
    first = served[0]
    for other in served[1:]:
        if other.config.base_fingerprint != first.config.base_fingerprint:
            yield (
                f"{other.repo_id} is for {_named(other.config.base)}, {first.repo_id} for {_named(first.config.base)}: "
                "a Space holds one base, so push one Space for each"
            )
    if not first.facts.base_on_hub and first.config.base.id != "pocket":
        yield f"the base {first.config.base.id} is not on the Hub, so a Space cannot load it"


def _named(base: BaseInfo) -> str:
    return f"{base.id}@{base.revision[:12]}" if base.revision else base.id


def _preload(api: HfApi, served: Sequence[PublishedDelta]) -> tuple[list[Preload], list[str]]:
    """What a build can fetch without a token, and what somebody has to do for the rest."""
    preload = [
        Preload(one.repo_id, _matching(one.files, _DELTA_FILES), one.commit) for one in served if not one.private
    ]
    locked = [f"{one.repo_id} is private" for one in served if one.private]
    base = served[0].config.base
    if served[0].facts.base_on_hub:
        try:
            info = api.model_info(base.id, revision=base.revision)
        except HfHubHTTPError:
            locked.append(f"{base.id} cannot be seen from here")
        else:
            files = _matching([file.rfilename for file in info.siblings or ()], BASE_FILES)
            if info.gated or info.private:
                locked.append(f"{base.id} is {'gated' if info.gated else 'private'}")
            elif info.sha:
                preload.append(Preload(base.id, files, info.sha))
    return preload, [f"{what}: give the Space a secret HF_TOKEN, in its settings, that may read it" for what in locked]


def _matching(names: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """Those of the names that a line of `preload_from_hub` can hold: it is cut at spaces and commas."""
    plain = (name for name in names if _PLAIN.fullmatch(name))
    return tuple(name for name in plain if any(fnmatchcase(name, pattern) for pattern in patterns))


@contextmanager
def _draft(
    served: Sequence[PublishedDelta], title: str, hardware: str | None, wheel: Path | None, preload: Sequence[Preload]
) -> Iterator[tuple[Contents, tuple[str, ...]]]:
    """The Space's files in a folder of their own, and why they cannot run anywhere else, if so."""
    with tempfile.TemporaryDirectory(prefix="cogsym-space-") as place:
        folder, problems = Path(place), tuple[str, ...]()
        texts = {
            "README.md": render_space(
                [one.facts for one in served],
                sdk_version=metadata.version("gradio"),
                title=title,
                hardware=hardware,
                preload=preload,
            ),
            "app.py": app_file([f"{one.repo_id}@{one.commit}" for one in served], wheel),
        }
        try:
            texts["requirements.txt"] = requirements(wheel)
        except HubError as error:
            problems = (f"{error.message}: {error.hint}",)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        if wheel and not problems:
            shutil.copyfile(wheel, folder / wheel.name)
        contents = list_contents(folder, layout=SPACE)
        for file in contents.files:
            _ = file.sha256  # read now: the report outlives the folder
        yield contents, problems
