"""What a language file can list: data sets, test sets, models, example pairs and the people behind them."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from toolkit.languages.texts import hostile_character, unsafe_path

MAX_TEXT = 400
MAX_NAME = 80
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def problem(wrong: str, fix: str) -> PydanticCustomError:
    """An error that says what is wrong with a value, and what to do about it."""
    return PydanticCustomError("language_file", "{wrong}", {"wrong": wrong, "fix": fix})


def _visible(text: str) -> str:
    found = hostile_character(text)
    if found:
        raise problem(f"it holds {found[1]}", "type it again without that")
    if text != text.strip():
        raise problem("it starts or ends with a blank", "remove the blank")
    return text


def _safe(path: str) -> str:
    wrong = unsafe_path(path)
    if wrong:
        raise problem(wrong, "give a path inside the data set's folder, with '/', as in data/train.tsv")
    return path


def _hub(name: str) -> str:
    if not _HUB_ID.fullmatch(name) or "--" in name or ".." in name or len(name) > 96 or name.endswith((".git", ".")):
        raise problem("it is not the name of a repository on the Hub", "write ORG/NAME, as in facebook/belebele")
    return name


def _web(address: str) -> str:
    if not re.fullmatch(r"https://[A-Za-z0-9.-]+\.[a-z]{2,}(/[^\s<>\"'`\\]*)?", address):
        raise problem("it is not a web address", "give one that starts with https://")
    return address


Line = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(_visible)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(_visible)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}$")]
OtherCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
HubId = Annotated[str, AfterValidator(_visible), AfterValidator(_hub)]
Url = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_visible), AfterValidator(_web)]
FilePath = Annotated[str, Field(max_length=200), AfterValidator(_visible), AfterValidator(_safe)]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Entry(BaseModel):
    """The habits of every part of a language file: no unknown field, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Source(Entry):
    """Something public with a licence, on the Hub or elsewhere."""

    name: Name = Field(description="what people call it")
    hub: HubId | None = Field(default=None, description="ORG/NAME of the data set on the Hub")
    config: Name | None = Field(default=None, description="its configuration for this language on the Hub")
    url: Url | None = Field(default=None, description="where it is, if not on the Hub, or where it is described")
    files: tuple[FilePath, ...] = Field(
        default=(), max_length=20, description="which of its files, as paths or patterns relative to its folder"
    )
    beside: tuple[Code, ...] = Field(
        default=(), max_length=20, description="ISO 639-3 codes of the languages that its rows also have"
    )
    rows: int | None = Field(default=None, ge=1, description="how many rows, of all splits together; omit if unknown")
    licence: Name = Field(
        description="tag of the licence as the Hub spells it, e.g. cc-by-sa-4.0; `unknown` if unstated"
    )
    note: Line | None = Field(default=None, description="doubts about the licence, damage, what to leave out")

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if self.hub is None and self.url is None:
            raise problem("nobody could find it", "give `hub: ORG/NAME` or `url: https://...`")
        if self.licence in ("unknown", "other") and self.note is None:
            raise problem(f"the licence is '{self.licence}'", "say in `note:` what is known about it")
        return self


class DataSet(_Source):
    """Sentences or texts of the language to learn from."""

    kind: Literal["parallel", "instructions", "text"] = Field(description="what its rows are; the kinds in a recipe")


class EvaluationSet(_Source):
    """A test set; never for training."""

    kind: Literal["translation", "likelihood", "words", "sentiment", "multiple_choice", "consistency", "perplexity"] = (
        Field(description="what is measured; the kinds of test sets in a recipe")
    )
    suite: Name | None = Field(default=None, description="the name under which `cogsym evaluate --suite` knows it")


class WeightFile(Entry):
    """A file and what its bytes must be."""

    file: FilePath = Field(description="its name in the repository, e.g. delta.safetensors")
    sha256: Digest = Field(description="SHA-256 of its bytes, 64 hexadecimal digits")


class PublishedModel(Entry):
    """A delta or model that anybody can fetch, pinned so that it is the one that was checked."""

    repository: HubId = Field(description="ORG/NAME on the Hub")
    revision: Commit = Field(description="commit of that repository, 40 hexadecimal digits")
    base: HubId = Field(description="the base model on the Hub")
    base_revision: Commit | None = Field(default=None, description="commit of the base")
    digests: tuple[WeightFile, ...] = Field(min_length=1, max_length=50, description="its weight files, pinned")
    records: tuple[FilePath, ...] = Field(default=(), max_length=50, description="its records, e.g. records/delta.json")


class SmokePair(Entry):
    """A short sentence and a right translation, to see whether a model says anything sensible."""

    direction: Annotated[str, StringConstraints(pattern=r"^[a-z]{3}>[a-z]{3}$")] = Field(
        description="source>target, ISO 639-3, in quotes"
    )
    text: Line = Field(description="the sentence to translate")
    expected: Line = Field(description="a right translation of it")


class Contributor(Entry):
    """Somebody to thank, as they wish to be named."""

    name: Name = Field(description="the name to show")
    roles: tuple[Literal["registry", "data", "training", "evaluation", "review", "corrections", "smoke pairs"], ...] = (
        Field(min_length=1, max_length=7, description="what they did")
    )
    url: Url | None = Field(default=None, description="their page, if it should be linked")


class Speakers(Entry):
    """How many people speak a language, according to whom."""

    count: int = Field(ge=0, le=8_000_000_000, description="people")
    year: int | None = Field(default=None, ge=1900, le=2100, description="the year that the figure is about")
    source: Line = Field(description="who says so, and what was counted")
