"""A language as the registry describes it, and a direction between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from toolkit.errors import LanguageError
from toolkit.languages.entries import (
    Code,
    Contributor,
    DataSet,
    Entry,
    EvaluationSet,
    Line,
    Name,
    OtherCode,
    PublishedModel,
    SmokePair,
    Speakers,
)


class Names(Entry):
    """What a language is called."""

    english: Name = Field(description="English name, as tables print it, and prompts unless `in_prompts` is given")
    in_prompts: Name | None = Field(
        default=None, description="what prompts call it, where bases know it better by another name"
    )
    own: Name = Field(description="the language's own name for itself, with all its accents")
    aliases: tuple[Name, ...] = Field(default=(), max_length=30, description="other names people look for")


class Language(Entry):
    """One entry of the registry (one YAML file).

    Codes: ISO 639-3 for the language, ISO 15924 for the script, ISO 639-1 where one exists. A language without an ISO
    code takes one that the standard leaves to local use (qaa to qtz) and must give its Glottocode.
    """

    code: Code = Field(description="ISO 639-3 code; qaa to qtz where there is none")
    script: str = Field(pattern=r"^[A-Z][a-z]{3}$", description="ISO 15924 code of the script")
    direction: Literal["ltr", "rtl"] = Field(default="ltr", description="writing direction of the script")
    iso639_1: str | None = Field(default=None, pattern=r"^[a-z]{2}$", description="two-letter code, where one exists")
    glottocode: str | None = Field(
        default=None, pattern=r"^[a-z0-9]{4}[0-9]{4}$", description="code in Glottolog; required without an ISO code"
    )
    variety: Line | None = Field(
        default=None, description="which variety or standard this entry means, where people may ask"
    )
    other_codes: tuple[OtherCode, ...] = Field(
        default=(), max_length=10, description="codes by which data sets mean this language too, such as swa for swh"
    )
    names: Names
    spoken_in: Line | None = Field(default=None, description="where it is spoken")
    speakers: Speakers | None = Field(default=None, description="how many people speak it; omit rather than guess")
    related: tuple[Code, ...] = Field(
        default=(), max_length=20, description="ISO 639-3 codes of related languages a base may know"
    )
    data: tuple[DataSet, ...] = Field(default=(), max_length=50, description="what a model can learn from")
    evaluation: tuple[EvaluationSet, ...] = Field(default=(), max_length=50, description="what it can be measured with")
    models: tuple[PublishedModel, ...] = Field(default=(), max_length=50, description="deltas that can be fetched")
    smoke: tuple[SmokePair, ...] = Field(default=(), max_length=20, description="pairs that a model should get right")
    contributors: tuple[Contributor, ...] = Field(default=(), max_length=100, description="people to thank")

    @property
    def is_local(self) -> bool:
        """Whether ISO 639-3 has no code for it, so that its code is one of those for local use."""
        return "qaa" <= self.code <= "qtz"

    @property
    def hub_code(self) -> str | None:
        """The code that the Hub accepts in a card: two letters where they exist, else three; a local one has none."""
        return None if self.is_local else self.iso639_1 or self.code

    @property
    def prompt_name(self) -> str:
        """What prompts call it; a delta answers to the name it was trained with, so this must not change later."""
        return self.names.in_prompts or self.names.english

    @property
    def tag(self) -> str:
        """Code with script, e.g. `jav_Latn`."""
        return f"{self.code}_{self.script}"


@dataclass(frozen=True, order=True)
class Direction:
    """From a source language to a target language, ISO 639-3 codes; written `eng>jav`."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}>{self.target}"

    @property
    def reverse(self) -> Direction:
        return Direction(self.target, self.source)


def parse_direction(text: str) -> Direction:
    """`eng>jav` as a `Direction`.

    Raises:
        LanguageError: if the text is not two three-letter codes joined by `>`.
    """
    source, arrow, target = (part.strip() for part in text.partition(">"))
    if not arrow or not all(len(code) == 3 and code.isascii() and code.islower() for code in (source, target)):
        raise LanguageError(
            f"'{text}' is not a direction", "write source>target with ISO 639-3 codes, quoted: 'eng>jav'"
        )
    if source == target:
        raise LanguageError(f"'{text}' translates a language into itself", "give two different languages")
    return Direction(source, target)
