"""Shares a run as a person wants it: with a card made for its place, published, read back, and tried out."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hub_cards import CardFacts, write_card
from toolkit import hub
from toolkit.errors import CardError, HubError, TranslationError
from toolkit.hub.contents import Contents, list_contents
from toolkit.pretrained import base_here
from toolkit.run_folder import RunFolder


def share(
    run: RunFolder,
    target: str | os.PathLike[str],
    *,
    dry_run: bool = False,
    create_pr: bool = False,
    private: bool | None = None,
    revision: str | None = None,
    commit_message: str | None = None,
    token: str | bool | None = None,
    collection: str | None = None,
    replaces: str | None = None,
    base: Path | None = None,
    try_out: bool = True,
) -> hub.PublishReport:
    """Publish a run; its card is made, or made again, where its commands would name another place.

    A dry run makes such a card in a temporary folder: in the run folder it changes nothing.

    Args:
        run: see `toolkit.hub.publish`, as for all that is not named here.
        base: folder of the base, for its licence files and to try the delta out; found by itself where it is here.
        try_out: merge and translate with what was published, where the base is here.

    Raises:
        CardError: if no card can be made from the records.
        HubError: if a check fails, or the Hub refuses.
        OutputError: if a local target holds something else.
    """
    place = hub.parse_target(target)
    base = base or base_here(run)
    name = place.repo_id or (place.folder.resolve().name if place.folder else None)
    with _with_card(run, name, base, dry_run=dry_run) as (folder, contents):
        return hub.publish(
            folder,
            target,
            dry_run=dry_run,
            create_pr=create_pr,
            private=private,
            revision=revision,
            commit_message=commit_message,
            token=token,
            collection=collection,
            replaces=replaces,
            contents=contents,
            smoke=_Trial(base) if base and try_out else None,
        )


def push_to_hub(
    run: str | os.PathLike[str],
    repo_id: str,
    *,
    private: bool | None = None,
    create_pr: bool = False,
    revision: str | None = None,
    commit_message: str | None = None,
    token: str | bool | None = None,
) -> str:
    """Publish a run, or a downloaded delta, to the Hub: checked, pushed in one commit, read back, tried out.

    Args:
        run: run folder.
        repo_id: `org/name`, made where it is missing.
        private: make a repository that has to be created private, or public; default as its owner has set it.
        create_pr: open a pull request instead of changing the repository, or go on with the one opened before.
        revision: branch, made where it is missing, or `refs/pr/N`.
        commit_message: default names the language.
        token: default the one that you logged in with.

    Returns:
        The address of the commit; of the one that is there, if it holds exactly this already.

    Raises:
        HubError: if a check fails, or the Hub refuses. Nothing was made there before all checks had passed.
    """
    if hub.parse_target(repo_id).repo_id is None:
        raise HubError(f"'{repo_id}' is a folder, not a Hub repository", "write org/name, or hf://org/name")
    report = share(
        RunFolder(Path(run)),
        repo_id,
        private=private,
        create_pr=create_pr,
        revision=revision,
        commit_message=commit_message,
        token=token,
    )
    assert report.commit_url is not None
    return report.commit_url


@contextmanager
def _with_card(
    run: RunFolder, name: str | None, base: Path | None, *, dry_run: bool
) -> Iterator[tuple[RunFolder, Contents | None]]:
    """The run with a card for this place, and what of it to publish where that is not simply what lies there."""
    if not run.root.is_dir() or _has_card_for(run, name):
        yield run, None  # a missing folder is told better by what follows
        return
    if not dry_run:
        write_card(run, name=name, base=base)
        yield run, None
        return
    contents = list_contents(run.root)
    with tempfile.TemporaryDirectory(prefix="cogsym-card-") as folder:
        draft = RunFolder(Path(folder) / run.root.resolve().name)
        draft.root.mkdir()
        for file in contents.files:
            place = draft.root / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.suffix == ".safetensors":
                place.symlink_to(file.source.resolve())  # a gigabyte need not be copied to be looked at
            else:
                shutil.copyfile(file.source, place)
        write_card(draft, name=name, base=base)
        files = list_contents(draft.root, follow_links=True).files
        for file in files:
            _ = file.sha256  # read now: the report outlives the folder
        yield draft, replace(contents, files=files)


def _has_card_for(run: RunFolder, name: str | None) -> bool:
    if not run.card.is_file():
        return False
    try:
        return CardFacts.read(run.card_facts).name == name
    except CardError:  # missing, or of another version
        return False


class _Trial:
    """Merges a published delta in memory, digest by digest, and translates one sentence."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def __call__(self, folder: Path) -> str:
        from toolkit.delta import verify
        from toolkit.translator import Translator

        verified = verify(folder, self._base, full=True)
        direction, text = _one_sentence(RunFolder(folder))
        try:
            translation = Translator.from_pretrained(folder, self._base).translate(text, direction)
        except TranslationError as error:  # a weak model, but a sound publication
            translation = error.message
        return f"tried out: {verified.tensors} tensors merge to the right digests; {direction}: {text} → {translation}"


def _one_sentence(run: RunFolder) -> tuple[str, str]:
    """A direction that was tested, into the new language where possible, and the first sentence of its test set."""
    config = run.read_config()
    tested = [
        record
        for record in run.read_evaluations()
        if record.model == "adapted" and record.kind == "translation" and record.samples
    ]
    for record in sorted(tested, key=lambda record: not record.direction.endswith(f">{config.language}")):
        with (run.samples / record.samples[0]).open(encoding="utf-8") as lines:
            return record.direction, str(json.loads(lines.readline())["source"])
    return config.directions[0], "water"
