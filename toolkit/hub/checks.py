"""What must hold of a run before anything of it is published: complete, in agreement with itself, safe and licensed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from hub_cards import CardFacts, lint
from toolkit.errors import CogsymError
from toolkit.hub.contents import Contents
from toolkit.hub.leaks import find_local_paths, find_tokens
from toolkit.languages import all_languages
from toolkit.languages.registry import own_file
from toolkit.records import DeltaConfig, DeltaInfo, EvaluationRecord, TrainingRecord
from toolkit.run_folder import RunFolder

MAX_FILES = 10_000
"""Entries that the Hub allows in one folder."""
LLAMA2_NOTICE = (
    "Llama 2 is licensed under the LLAMA 2 Community License, Copyright (c) Meta Platforms, Inc. All Rights Reserved."
)
_SHOWN = 3


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and what is wrong with it."""

    name: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class Facts:
    """All records of a run, parsed."""

    config: DeltaConfig
    training: TrainingRecord
    delta: DeltaInfo
    evaluations: tuple[EvaluationRecord, ...]


def check_run(run: RunFolder, contents: Contents, repo_id: str | None = None) -> tuple[Check, ...]:
    """Everything that can be known about a publication without a network.

    Args:
        run: the run folder.
        contents: what of it will go.
        repo_id: where it will go, if that is the Hub; the card's commands have to name it.

    Returns:
        One `Check` for each thing looked at. Where the records cannot be read, what depends on them is not looked at.
    """
    checks = [Check("complete", tuple(_missing(run, contents))), Check("files", tuple(find_bad_files(contents)))]
    checks.append(Check("no tokens", tuple(_tokens(contents))))
    checks.append(Check("no local paths", tuple(_local_paths(run, contents))))
    try:
        facts = read_facts(run)
    except CogsymError as error:
        return (*checks, Check("records", (error.message,)))
    return (
        *checks,
        Check("records", tuple(_disagreements(facts, contents))),
        Check("delta", tuple(_delta_problems(facts, contents))),
        Check("card", tuple(_card_problems(run, repo_id))),
        Check("licence", tuple(_licence_problems(run, facts.config))),
    )


def read_facts(run: RunFolder) -> Facts:
    """The records of a run or of a published repository.

    Raises:
        CardError: if one is missing or unreadable.
    """
    return Facts(run.read_config(), run.read_training(), run.read_delta_info(), tuple(run.read_evaluations()))


def _missing(run: RunFolder, contents: Contents) -> Iterator[str]:
    makers = {
        run.config: "cogsym train",
        run.training_record: "cogsym train",
        run.delta_info: "cogsym train",
        run.card: "cogsym card",
    }
    for path, command in makers.items():
        name = path.relative_to(run.root).as_posix()
        if contents.find(name) is None:
            yield f"{name} is missing: run `{command}`"
    if not any(file.path.endswith(".safetensors") for file in contents.files):
        yield f"{run.delta.name} is missing: run `cogsym train`"
    with suppress(CogsymError):  # a config that cannot be read is told with the records
        config = run.read_config()
        for code in sorted({config.language, *config.known_languages}):
            name = (run.languages / f"{code}.yaml").relative_to(run.root).as_posix()
            if contents.find(name) is None and (own_file(code) or code not in all_languages()):
                yield f"{name} is missing: the toolkit has no {code}, and nobody could use the delta without that file"


def find_bad_files(contents: Contents) -> Iterator[str]:
    """Files that the Hub takes and nobody can use, or that are too many."""
    if len(contents.files) >= MAX_FILES:
        yield f"{len(contents.files)} files, and the Hub takes fewer than {MAX_FILES} in a folder"
    for file in contents.files:
        if file.size_bytes == 0:
            yield f"{file.path} is empty"


def _tokens(contents: Contents) -> Iterator[str]:
    for file in contents.files:
        if not file.path.endswith(".safetensors"):
            for kind in find_tokens(file.source.read_bytes()):
                yield f"{file.path} holds a {kind}: remove it there, and revoke the token"


def _local_paths(run: RunFolder, contents: Contents) -> Iterator[str]:
    for file in contents.files:
        if file.path.endswith((".safetensors", ".png")) or file.path == run.card.name:
            continue  # the card has a lint of its own
        try:
            text = file.source.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            yield f"{file.path} is not UTF-8 text"
            continue
        # Samples and licences hold other people's words, in which something like a path means nothing.
        guess = file.path.startswith(("config.json", "records/", ".eval_results/"))
        paths = find_local_paths(text, contents.root, guess=guess)
        for path in paths[:_SHOWN]:
            yield f"{file.path} names a path of this machine: {path}"


def _disagreements(facts: Facts, contents: Contents) -> Iterator[str]:
    config, training, delta = facts.config, facts.training, facts.delta
    if training.language != config.language:
        yield f"config.json is about {config.language}, records/training.json about {training.language}"
    for name, base in (("records/training.json", training.base), ("records/delta.json", delta.base)):
        if (base.id, base.revision) != (config.base.id, config.base.revision):
            yield f"config.json names the base {_base(config)}, {name} the base {base.id}@{base.revision}"
    if delta.base_fingerprint != config.base_fingerprint:
        yield "config.json and records/delta.json give different fingerprints of the base"
    if training.selection != config.selection:
        yield "config.json and records/training.json give different selections"
    for record in facts.evaluations:
        yield from _evaluation_disagreements(record, config, contents)


def _evaluation_disagreements(record: EvaluationRecord, config: DeltaConfig, contents: Contents) -> Iterator[str]:
    name = f"the evaluation {record.model}, {record.task}, {record.direction}"
    if record.model == "adapted" and record.delta_sha256 not in (None, config.delta_sha256):
        yield f"{name} was measured with another delta ({record.delta_sha256[:12]}): run `cogsym evaluate` again"
    if record.model == "adapted" and record.delta_sha256 is None:
        yield f"{name} does not say which delta was measured: run `cogsym evaluate` again"
    if record.base_fingerprint != config.base_fingerprint:
        yield f"{name} was measured on another base: run `cogsym evaluate` again"
    for file in record.samples:
        if contents.find(f"samples/{file}") is None:
            yield f"{name} names samples/{file}, which is missing"


def _base(config: DeltaConfig) -> str:
    return f"{config.base.id}@{config.base.revision}"


def _delta_problems(facts: Facts, contents: Contents) -> Iterator[str]:
    config, info = facts.config, facts.delta
    if config.delta_sha256 != info.sha256:
        yield "config.json and records/delta.json give different digests of the delta"
    if config.delta_file != info.file:
        yield f"config.json names the delta {config.delta_file}, records/delta.json names it {info.file}"
    file = contents.find(config.delta_file) or contents.find(f"{config.delta_file}.index.json")
    if file is None:
        yield f"{config.delta_file} is missing"
    elif file.sha256 != config.delta_sha256:
        yield (
            f"{file.path} is not the one that config.json describes: its sha256 is {file.sha256[:12]}..., "
            f"not {config.delta_sha256[:12]}...; make the delta again, or bring back the right file"
        )


def _card_problems(run: RunFolder, repo_id: str | None) -> Iterator[str]:
    try:
        text = run.card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        yield f"{run.card.name} cannot be read: {error.__class__.__name__}; run `cogsym card`"
        return
    problems = [str(problem) for problem in lint(text, run.root)]
    yield from problems
    if repo_id and not problems and (named := CardFacts.read(run.card_facts).name) != repo_id:
        yield f"its commands name {named}, not {repo_id}: run `cogsym card {run.root.name} --name {repo_id}`"


def _licence_problems(run: RunFolder, config: DeltaConfig) -> Iterator[str]:
    if config.base.licence != "llama2" and not config.base.id.startswith("meta-llama/Llama-2"):
        return
    notice = run.root / "NOTICE.txt"
    if not notice.is_file() or LLAMA2_NOTICE not in " ".join(notice.read_text(encoding="utf-8").split()):
        yield f"NOTICE.txt must say: {LLAMA2_NOTICE} Run `cogsym card`, which writes it"
    if not (run.root / "USE_POLICY.md").is_file():
        yield "USE_POLICY.md is missing, which Llama 2's licence asks to pass on: run `cogsym card`"


def failed(checks: tuple[Check, ...]) -> list[str]:
    """Every problem, as `check: problem`."""
    return [f"{check.name}: {problem}" for check in checks for problem in check.problems]
