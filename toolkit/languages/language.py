"""A language as the registry describes it, and a direction between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from toolkit.errors import LanguageError


class Names(BaseModel):
    """What a language is called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    english: str = Field(min_length=1, description="English name, as prompts and tables print it")
    own: str = Field(min_length=1, description="the language's own name for itself")
    aliases: tuple[str, ...] = Field(default=(), description="other names people look for")


class Language(BaseModel):
    """One entry of the registry (one YAML file).

    Codes: ISO 639-3 for the language, ISO 15924 for the script, ISO 639-1 where one exists.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(pattern=r"^[a-z]{3}$", description="ISO 639-3 code")
    script: str = Field(pattern=r"^[A-Z][a-z]{3}$", description="ISO 15924 code of the script")
    direction: Literal["ltr", "rtl"] = Field(default="ltr", description="writing direction of the script")
    iso639_1: str | None = Field(default=None, pattern=r"^[a-z]{2}$", description="two-letter code, where one exists")
    names: Names
    related: tuple[str, ...] = Field(default=(), description="ISO 639-3 codes of related languages a base may know")
    spoken_in: str | None = Field(default=None, description="where it is spoken")
    contributors: tuple[str, ...] = Field(default=(), description="people to thank, as they wish to be named")

    @property
    def hub_code(self) -> str:
        """The code that the Hub accepts in a card: two letters where they exist, else three."""
        return self.iso639_1 or self.code

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
