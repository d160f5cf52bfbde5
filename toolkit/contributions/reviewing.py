"""What a pull request does to language files: problems, credit, scores of declared models before and after, the card.

The files are read as data. Everything found goes into a `Review`, a record of plain bounded values, because whoever
shows it (`commenting.py`) must not trust whoever made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hub_cards import render
from hub_cards.facts import CardFacts, ScoreRow
from toolkit.contributions.models import Reach, check_models
from toolkit.contributions.report import Unchecked
from toolkit.errors import CogsymError, LanguageError
from toolkit.languages import Language, all_languages
from toolkit.languages.checking import check_language_file
from toolkit.languages.entries import PublishedModel
from toolkit.languages.problems import Problem
from toolkit.languages.registry import read_language
from toolkit.records import Record

MAX_FILES, MAX_MODELS, MAX_PROBLEMS, MAX_SCORES = 30, 10, 50, 60
MAX_CARD = 12_000  # characters of a card's preview

Text = Annotated[str, StringConstraints(max_length=500)]
LongText = Annotated[str, StringConstraints(max_length=MAX_CARD)]


class FoundProblem(Record):
    """One thing that must change in a file."""

    field: Text
    message: Text
    fix: Text


class ScoreChange(Record):
    """One number of a model at its old and its new revision."""

    what: Text
    dataset: Text
    metric: Text
    before: float | None
    after: float | None
    comparable: bool = Field(description="whether both were measured on the same rows in the same way")


class ModelReview(Record):
    """A model that the file declares anew, or at another revision."""

    repository: Text
    revision: Text
    replaces: Text | None = Field(default=None, description="repository@revision that it takes the place of")
    scores: tuple[ScoreChange, ...] = Field(default=(), max_length=MAX_SCORES)
    card: LongText | None = Field(default=None, description="the card of the published records, in Markdown")
    trouble: Text | None = Field(default=None, description="why it could not be looked at, or what is wrong with it")


class FileReview(Record):
    """One changed language file."""

    file: Text
    change: Literal["new", "changed", "removed"]
    english: Text | None = None
    own: Text | None = None
    contributors: tuple[Text, ...] = Field(default=(), max_length=100)
    problems: tuple[FoundProblem, ...] = Field(default=(), max_length=MAX_PROBLEMS)
    unchecked: tuple[Text, ...] = Field(default=(), max_length=MAX_PROBLEMS, description="what nobody has looked at")
    models: tuple[ModelReview, ...] = Field(default=(), max_length=MAX_MODELS)


class Review(Record):
    """All changed language files."""

    files: tuple[FileReview, ...] = Field(max_length=MAX_FILES)
    left_out: int = Field(default=0, ge=0, description="changed files beyond those listed")

    @property
    def ok(self) -> bool:
        """Whether nothing has to be mended."""
        wrong = any(file.problems or any(model.trouble for model in file.models) for file in self.files)
        return not wrong and not self.left_out


def review(before: Path, after: Path, *, endpoint: str | None = None) -> Review:
    """Compare two folders of language files, and look at the models that changed ones declare.

    Args:
        before: the files as they are.
        after: the same as they would be.
        endpoint: address of the Hub; default HF_ENDPOINT, else the public one.
    """
    names = {path.name for folder in (before, after) for path in folder.glob("*.yaml")}
    changed = [name for name in sorted(names) if _bytes(before / name) != _bytes(after / name)]
    files = [_file(before / name, after / name, endpoint) for name in changed[:MAX_FILES]]
    return Review(files=tuple(files), left_out=len(changed) - len(files))


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _file(before: Path, after: Path, endpoint: str | None) -> FileReview:
    name = _cut(after.name)
    if not after.is_file():
        return FileReview(file=name, change="removed", problems=(_removed(),))
    change: Literal["new", "changed"] = "changed" if before.is_file() else "new"
    problems = check_language_file(after, all_languages())
    try:
        language = read_language(after)
    except LanguageError:  # told by the problems
        return FileReview(file=name, change=change, problems=_found(problems))
    items = list(check_models(name, language, Reach(download=True, max_bytes=0, endpoint=endpoint)))
    problems += [item for item in items if isinstance(item, Problem)]
    unchecked = [f"{item.what}: {item.because}" for item in items if isinstance(item, Unchecked)]
    if language.data or language.evaluation:
        unchecked.append("the files of its data sets: `cogsym languages check --download` looks at them")
    return FileReview(
        file=name,
        change=change,
        english=_cut(language.names.english),
        own=_cut(language.names.own),
        contributors=tuple(f"{person.name} ({', '.join(person.roles)})" for person in language.contributors),
        problems=_found(problems),
        unchecked=tuple(_cut(words) for words in unchecked[:MAX_PROBLEMS]),
        models=tuple(islice(_models(_read(before), language, endpoint), MAX_MODELS)),
    )


def _found(problems: Iterable[Problem]) -> tuple[FoundProblem, ...]:
    found = (FoundProblem(field=_cut(one.field), message=_cut(one.message), fix=_cut(one.fix)) for one in problems)
    return tuple(islice(found, MAX_PROBLEMS))


def _removed() -> FoundProblem:
    fix = "say why in the pull request: deltas that were published for it could not be named any more"
    return FoundProblem(field="", message="the language would no longer be known", fix=fix)


def _read(path: Path) -> Language | None:
    try:
        return read_language(path) if path.is_file() else None
    except LanguageError:
        return None


def _models(before: Language | None, after: Language, endpoint: str | None) -> Iterator[ModelReview]:
    known = before.models if before else ()
    for model in after.models:
        if model not in known:
            yield _model(_predecessor(model, known), model, after.code, endpoint)


def _predecessor(model: PublishedModel, known: Sequence[PublishedModel]) -> PublishedModel | None:
    """The same repository at its earlier revision, else one over the same base."""
    same = [other for other in known if other.repository == model.repository]
    return next(iter([*same, *(other for other in known if other.base == model.base)]), None)


def _model(old: PublishedModel | None, new: PublishedModel, code: str, endpoint: str | None) -> ModelReview:
    replaces = f"{old.repository}@{old.revision}" if old else None
    about = ModelReview(repository=new.repository, revision=new.revision, replaces=replaces)
    try:
        facts = _facts(new, endpoint)
        card = render(facts).readme
    except CogsymError as error:
        return about.model_copy(update={"trouble": _cut(error.message)})
    trouble = None
    if facts.language.code != code:
        trouble = f"its records say that it is for {facts.language.code}, not for {code}"
    elif facts.base.id != new.base:
        trouble = f"its records say that its base is {facts.base.id}, not {new.base}"
    earlier = None
    if old is not None:
        try:
            earlier = _facts(old, endpoint)
        except CogsymError as error:
            trouble = trouble or f"the one it replaces cannot be compared: {error.message}"
    found = {"scores": tuple(_changes(earlier, facts))[:MAX_SCORES], "card": card[:MAX_CARD]}
    return about.model_copy(update={**found, "trouble": _cut(trouble) if trouble else None})


def _facts(model: PublishedModel, endpoint: str | None) -> CardFacts:
    from toolkit.hub import read_published

    (published,) = read_published([f"{model.repository}@{model.revision}"], endpoint=endpoint)
    return published.facts


def _changes(earlier: CardFacts | None, facts: CardFacts) -> Iterator[ScoreChange]:
    """Each score with the earlier one of the same task; those that are no longer measured last."""
    before = {_task(row): row for row in earlier.scores} if earlier else {}
    now = {_task(row): row for row in facts.scores}
    for task, row in {**now, **{task: row for task, row in before.items() if task not in now}}.items():
        old, new = before.get(task), now.get(task)
        yield ScoreChange(
            what=_cut(row.what),
            dataset=_cut(row.dataset),
            metric=_cut(row.metric),
            before=_value(old),
            after=_value(new),
            comparable=old is None or new is None or _measured_alike(old, new),
        )


def _task(row: ScoreRow) -> tuple[str, ...]:
    return (row.kind, row.dataset, row.source, row.target, row.metric, str(row.shots))


def _measured_alike(one: ScoreRow, other: ScoreRow) -> bool:
    return (one.data_fingerprint, one.n, one.signature) == (other.data_fingerprint, other.n, other.signature)


def _value(row: ScoreRow | None) -> float | None:
    return None if row is None or row.adapted is None else row.adapted.value


def _cut(text: str, limit: int = 500) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
