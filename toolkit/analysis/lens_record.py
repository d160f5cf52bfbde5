"""What a lens saw: language probabilities and similarities by layer, and what they were read from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from toolkit.records import BaseInfo, Record

Model = Literal["base", "adapted"]


class LanguageCurve(Record):
    """Which language a model is about to speak, through its layers."""

    model: Model
    direction: str = Field(description="what the prompts asked for, e.g. eng>jav")
    probability: dict[str, tuple[float, ...]] = Field(
        description="by language, the mean over prompts of the probability of its telling tokens; embeddings first, "
        "then each layer"
    )


class SimilarityCurve(Record):
    """How alike a model holds two languages, through its layers."""

    model: Model
    languages: tuple[str, str]
    translations: tuple[float, ...] = Field(description="mean cosine of sentences that translate each other")
    unrelated: tuple[float, ...] = Field(description="the same of sentences that do not: each with the next row's")


class LensRecord(Record):
    """`lens.json`: all numbers of the figures, and what they were read from."""

    base: BaseInfo
    delta_sha256: str | None = Field(default=None, description="of the delta; None where the base was read alone")
    trained_layers: tuple[int, ...] = ()
    text: str = Field(description="name of the file, never a path")
    text_fingerprint: str = Field(description="sha256 over the rows used")
    rows: int
    languages: tuple[str, ...]
    prompt: str = Field(description="name of the prompt template")
    example_prompt: str
    telling_tokens: dict[str, int] = Field(description="tokens with which only this language's words begin")
    coverage: dict[str, float] = Field(description="share of the sentences that begin with one of them")
    speaks: tuple[LanguageCurve, ...]
    alike: tuple[SimilarityCurve, ...]
    versions: dict[str, str]

    def curve(self, model: str, direction: str) -> LanguageCurve | None:
        return next((each for each in self.speaks if (each.model, each.direction) == (model, direction)), None)

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(each.model for each in self.speaks))

    @property
    def directions(self) -> list[str]:
        return list(dict.fromkeys(each.direction for each in self.speaks))
