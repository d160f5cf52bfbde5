"""Whether the models that a language file declares are there, are those that were pinned, and make sense."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.contributions.report import Item, Seen, Unchecked
from toolkit.contributions.smoke import check_pairs
from toolkit.errors import CogsymError, HubError, LanguageError
from toolkit.hub import fetch_delta
from toolkit.hub.contents import PublishedFile
from toolkit.hub.declared import Listing, OutOfReachError, fetch_file, list_repository
from toolkit.languages import Language
from toolkit.languages.entries import PublishedModel
from toolkit.languages.problems import Problem
from toolkit.languages.registry import CARRIED, read_language
from toolkit.languages.strict_yaml import plain_mapping
from toolkit.records import DeltaConfig
from toolkit.run_folder import RunFolder

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_CARD_BYTES = 2**20
_CARD_DEPTH = 12  # levels; a `model-index` has 8
_SMALL = ("README.md", "config.json")


@dataclass(frozen=True)
class Reach:
    """How far a check may go."""

    download: bool
    max_bytes: int
    endpoint: str | None = None


def check_models(file: str, language: Language, reach: Reach) -> Iterator[Item]:
    """Each declared model: on the Hub, or in the cache where nothing is to be downloaded."""
    for index, model in enumerate(language.models):
        yield from _check(file, f"models.{index}", model, language, reach)


def _check(file: str, field: str, model: PublishedModel, language: Language, reach: Reach) -> Iterator[Item]:
    name = f"{model.repository}@{model.revision[:12]}"
    if reach.download:
        try:
            listing = list_repository(model.repository, revision=model.revision, endpoint=reach.endpoint)
        except OutOfReachError as error:
            yield Unchecked(field, name, error.message)
            return
        except HubError as error:
            yield Problem(file, f"{field}.revision", error.message, "publish it, or give the commit that you published")
            return
        found = list(_listed(file, field, model, listing))
        yield from found
        if any(isinstance(item, Problem) for item in found):
            return
        size = sum(one.size_bytes for one in listing.files)
        if size > reach.max_bytes:
            because = f"it has {size / 1e9:.2f} GB, which is more than is downloaded (--max-gib)"
            yield Unchecked(field, f"the weights of {name}", because)
            yield from _without_weights(file, field, name, model, language, listing, reach)
            return
    try:
        folder = fetch_delta(
            model.repository, revision=model.revision, local_files_only=not reach.download, endpoint=reach.endpoint
        )
    except HubError as error:
        because = error.message if reach.download else "it is not in the cache here; --download fetches it"
        yield Unchecked(field, name, because)
        return
    except CogsymError as error:
        yield Problem(file, field, error.message, error.hint or "publish it again")
        return
    run = RunFolder(folder)
    problems = [*_digests(file, field, model, folder), *_agreement(file, field, model, language, run)]
    yield from problems
    if problems:
        return
    yield Seen(field, f"{name}: digests, config, card and records are what the file says")
    yield from _weights(file, field, name, model, language, run)


def _without_weights(
    file: str, field: str, name: str, model: PublishedModel, language: Language, listing: Listing, reach: Reach
) -> Iterator[Item]:
    """What config and card say, where the weights are not fetched."""
    wanted = (*_SMALL, f"{CARRIED}/{language.code}.yaml")
    small = [one.path for one in listing.files if one.path in wanted and one.size_bytes <= _CARD_BYTES]
    if "config.json" not in small:
        yield Problem(file, field, f"{name} holds no config.json", "name a delta: `cogsym publish` makes one")
        return
    try:
        paths = {path: fetch_file(listing, path, endpoint=reach.endpoint) for path in small}
    except HubError as error:
        yield Unchecked(field, f"config and card of {name}", error.message)
        return
    problems = list(_agreement(file, field, model, language, RunFolder(paths["config.json"].parent)))
    yield from problems
    if not problems:
        yield Seen(field, f"{name}: listed digests, config, card and records are what the file says")


def _listed(file: str, field: str, model: PublishedModel, listing: Listing) -> Iterator[Item]:
    """What the list of files alone tells, before anything large is fetched."""
    for index, pinned in enumerate(model.digests):
        there = listing.find(pinned.file)
        if there is None:
            fix = "name a file that is there, or correct `revision`"
            yield Problem(file, f"{field}.digests.{index}.file", f"{model.repository} holds no {pinned.file}", fix)
        elif there.sha256 is not None and there.sha256 != pinned.sha256:
            yield _other_digest(file, f"{field}.digests.{index}.sha256", pinned.file, there.sha256)
    for index, record in enumerate(model.records):
        if listing.find(record) is None:
            message = f"{model.repository} holds no {record}"
            yield Problem(file, f"{field}.records.{index}", message, "name a record that is there")


def _digests(file: str, field: str, model: PublishedModel, folder: Path) -> Iterator[Problem]:
    for index, pinned in enumerate(model.digests):
        path = folder / pinned.file
        if not path.is_file():
            message = f"what was fetched of {model.repository} holds no {pinned.file}"
            yield Problem(file, f"{field}.digests.{index}.file", message, "name a weight file of the delta")
            continue
        found = PublishedFile(pinned.file, path, path.stat().st_size).sha256
        if found != pinned.sha256:
            yield _other_digest(file, f"{field}.digests.{index}.sha256", pinned.file, found)
    for index, record in enumerate(model.records):
        if not (folder / record).is_file():
            message = f"what was fetched of {model.repository} holds no {record}"
            yield Problem(file, f"{field}.records.{index}", message, "name a record that is there")


def _other_digest(file: str, field: str, name: str, found: str) -> Problem:
    fix = f"write {found}, if that is the file you mean"
    return Problem(file, field, f"{name} has another SHA-256 than the one written here", fix)


def _agreement(file: str, field: str, model: PublishedModel, language: Language, run: RunFolder) -> Iterator[Problem]:
    """Whether config and card are about this language and base."""
    try:
        config = DeltaConfig.read(run.config)
    except CogsymError as error:
        yield Problem(file, field, error.message, "publish it again with `cogsym publish`")
        return
    stated = ((config.language, language.code, "language"), (config.base.id, model.base, "base"))
    for found, said, what in stated:
        if found != said:
            yield Problem(file, field, f"its config names the {what} {found}, this file {said}", "correct one of them")
    if model.base_revision and config.base.revision and model.base_revision != config.base.revision:
        message = f"its config names the commit {config.base.revision} of the base"
        yield Problem(file, f"{field}.base_revision", message, "write that one")
    yield from _name_in_prompts(file, language, run)
    card = _front_matter(run.card)
    code = language.hub_code
    if code and code not in _listing(card.get("language")):
        message = f"the front matter of its card does not name the language {code}"
        yield Problem(file, field, message, "write the card again: `cogsym card RUN`, and publish")
    if model.base not in _listing(card.get("base_model")):
        message = f"the front matter of its card does not name the base {model.base}"
        yield Problem(file, field, message, "write the card again: `cogsym card RUN`, and publish")


def _name_in_prompts(file: str, language: Language, run: RunFolder) -> Iterator[Problem]:
    """A delta answers to the name it was trained with, which the file that it carries says."""
    carried = run.languages / f"{language.code}.yaml"
    if not carried.is_file():
        return
    try:
        trained = read_language(carried).prompt_name
    except LanguageError as error:
        yield Problem(file, "models", f"the language file in {run.root.name}: {error.message}", error.hint or "mend it")
        return
    if trained != language.prompt_name:
        message = f"a model was trained with '{trained}' in its prompts, and this file says '{language.prompt_name}'"
        yield Problem(file, "names.in_prompts", message, f"write in_prompts: {trained}, which models answer to")


def _weights(
    file: str, field: str, name: str, model: PublishedModel, language: Language, run: RunFolder
) -> Iterator[Item]:
    from toolkit.delta import verify
    from toolkit.pretrained import base_here

    base = base_here(run)
    delta = run.root / run.read_config().delta_file
    try:
        verify(delta, base)
    except CogsymError as error:
        yield Problem(file, field, error.message, error.hint or "publish it again")
        return
    if base is None:
        yield Seen(field, f"{name}: every chunk of the delta fits its checksum")
        because = f"the base {model.base} is not on this machine; `cogsym doctor` says what it needs"
        yield Unchecked(field, f"{name} against its base, and the smoke pairs", because)
        return
    yield Seen(field, f"{name}: the delta is whole, and made for {model.base}")
    yield from check_pairs(file, field, language, run, base)


def _front_matter(card: Path) -> dict[str, Any]:
    if not card.is_file() or card.stat().st_size > _CARD_BYTES:
        return {}
    match = _FRONT_MATTER.match(card.read_text(encoding="utf-8", errors="replace"))
    try:
        return plain_mapping(match[1], card, _CARD_DEPTH) if match else {}
    except LanguageError:
        return {}


def _listing(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
