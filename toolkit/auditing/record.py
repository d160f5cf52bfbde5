"""What an audit found: a record that is printed, written as JSON, and made into a report."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from toolkit.records import Identification, Record

Severity = Literal["stop", "drop", "look"]
"""Training would refuse, or learn the wrong thing; training leaves these rows out by itself; somebody should look."""

Kind = Literal["parallel", "text", "instructions"]
SEVERITIES: tuple[Severity, ...] = ("stop", "drop", "look")


class Example(NamedTuple):
    """One place where something was found."""

    place: str  # "line 12"; "the file" where it is no single row
    text: str  # an excerpt, with what cannot be seen spelt out


class Finding(Record):
    """One thing that was found, in however many rows."""

    code: str = Field(description="what it is, the same in every version: `not-utf-8`, `empty-side`")
    severity: Severity
    count: int = Field(description="rows, or 1 for the whole file")
    share: float | None = Field(default=None, description="share of the rows, 0 to 1; None for the whole file")
    message: str = Field(description="what was found, as a sentence")
    fix: str = Field(description="what to do about it")
    examples: tuple[Example, ...] = Field(default=(), description="the first places")


class Bars(Record):
    """Counts for a plot: `edges` has one value more than `counts`."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Tokens(Record):
    """What a base's tokenizer makes of one side."""

    per_word: float | None = Field(description="tokens per word; None where words are not parted by blanks")
    per_row: float = Field(description="tokens per row, on average")
    pieces: float = Field(description="share of tokens that are single bytes or unknown, 0 to 1")
    longest: int


class Side(Record):
    """One language's texts, those of usable rows."""

    language: str = Field(description="ISO 639-3 code")
    name: str = Field(description="English name, as far as it is known")
    column: str
    characters: int = Field(description="of a text, the median")
    words: float | None = Field(description="of a text, the median; None where words are not parted by blanks")
    lengths: Bars = Field(description="characters per text")
    script: str | None = Field(default=None, description="the script that most letters are in, e.g. Latin")
    identified: Identification | None = None
    languages: dict[str, int] = Field(default_factory=dict, description="rows by identified language, most first")
    tokens: Tokens | None = None


class Ratio(Record):
    """How long one side is beside the other, in characters."""

    languages: tuple[str, str]
    median: float
    factor: float = Field(description="rows further from the median than this, either way, were told")
    bars: Bars = Field(description="of the ratio beside its median, in powers of two")


class Audit(Record):
    """What is in one file, what is wrong with it, and what to expect of it."""

    name: str = Field(description="of the file, never its path")
    kind: Kind
    languages: tuple[str, ...]
    columns: dict[str, str] = Field(description="column that each language was read from")
    rows: int = Field(description="rows read, broken ones included")
    usable: int = Field(description="rows that can train, once what stops training is mended")
    findings: tuple[Finding, ...] = Field(description="most serious first")
    expectation: str = Field(description="what to expect of so many rows, in plain words")
    sides: tuple[Side, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    unusual: dict[str, int] = Field(default_factory=dict, description="unusual characters, most common first")
    base: str | None = Field(default=None, description="name of the base whose tokenizer counted")
    identifier: str | None = Field(default=None, description="model that identified languages; None if there was none")

    @property
    def stops(self) -> tuple[Finding, ...]:
        """What must be mended before training."""
        return tuple(finding for finding in self.findings if finding.severity == "stop")

    def find(self, code: str) -> Finding | None:
        """The finding of this code, if there is one."""
        return next((finding for finding in self.findings if finding.code == code), None)
