"""What a recipe says of a test set: where it lies, what its columns mean, and how it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from toolkit.languages import get_language, parse_direction
from toolkit.places import Place

MAX_SHOTS = 16


class _TestSet(Place):
    """What every kind has."""

    __test__ = False  # not a pytest class

    split: str = Field(default="test", description="hub: which split")
    name: str | None = Field(default=None, description="name of the test set in tables; default the file's name")
    limit: int | None = Field(default=None, ge=1, description="rows to score, the first ones")
    shots: int = Field(default=0, ge=0, le=MAX_SHOTS, description="worked examples in front of each prompt")
    shots_path: str | None = Field(default=None, description="file that the examples come from")
    shots_split: str | None = Field(default=None, description="hub: split that the examples come from")

    @model_validator(mode="after")
    def _examples_have_a_place(self) -> Self:
        if self.shots_path and self.shots_split:
            raise ValueError("examples come from shots_path or from shots_split, not from both")
        if self.shots_split and self.hub is None:
            raise ValueError("shots_split is for data sets on the Hub; name a file with shots_path")
        if self.shots and self._examples_from_elsewhere and not (self.shots_path or self.shots_split):
            raise ValueError("shots need shots_path, so that no test sentence is shown as an example")
        return self

    @property
    def _examples_from_elsewhere(self) -> bool:
        return True

    @property
    def dataset(self) -> str:
        """What tables call it."""
        return self.name or self.hub or Path(self.path or "").stem

    @property
    def examples(self) -> Place | None:
        """Where the worked examples come from; None where there are none, or they are other rows of the test set."""
        if self.shots_path:
            return Place(path=self.shots_path)
        if self.shots_split:
            return Place(hub=self.hub, config=self.config, split=self.shots_split, revision=self.revision)
        return None


class _Directed(_TestSet):
    """Rows that say the same in several languages."""

    columns: dict[str, str] = Field(default_factory=dict, description="column of each language")
    directions: tuple[str, ...] = Field(min_length=1, description="directions to score, e.g. eng>jav")

    @model_validator(mode="after")
    def _directions_are_known(self) -> Self:
        for direction in self.directions:
            parse_direction(direction)
        return self


class _OfOneLanguage(_TestSet):
    """Rows in one language."""

    language: str | None = Field(default=None, description="ISO 639-3 code; default the language to learn")

    @model_validator(mode="after")
    def _language_is_known(self) -> Self:
        if self.language is not None:
            get_language(self.language)
        return self


class TranslationSet(_Directed):
    """Sentence pairs; scored with chrF++ and BLEU, and with COMET where it is installed."""

    kind: Literal["translation"] = "translation"
    configs: dict[str, str] = Field(
        default_factory=dict, description="hub: configuration of each language, where each has its own (FLORES+)"
    )
    joined_by: str = Field(default="id", description="configs: column that is the same for the same sentence")
    text: str = Field(default="text", description="configs: column of the sentence")
    spbleu: bool = Field(default=False, description="score with spBLEU too; fetches its SentencePiece model once")
    max_new_tokens: int = Field(default=128, ge=1, description="longest answer, in tokens")

    @model_validator(mode="after")
    def _configs_are_for_the_hub(self) -> Self:
        if self.configs and (self.hub is None or self.config is not None or self.columns):
            raise ValueError("`configs` are for a data set on the Hub, instead of `config` and `columns`")
        return self


class WordsSet(_Directed):
    """Word pairs; scored by the share of words translated into one of the accepted answers."""

    kind: Literal["words"]
    separator: str = Field(default="|", min_length=1, description="between several words in one cell")
    shots: int = Field(default=4, ge=0, le=MAX_SHOTS, description="worked examples, other rows unless shots_path")
    max_new_tokens: int = Field(default=16, ge=1, description="longest answer, in tokens")

    @property
    def _examples_from_elsewhere(self) -> bool:
        return False


class SentimentSet(_OfOneLanguage):
    """Texts with one label each; scored with macro-F1 and accuracy."""

    kind: Literal["sentiment"]
    text: str = Field(default="text", description="column of the text")
    label: str = Field(default="label", description="column of the label")
    labels: dict[str, str] = Field(
        default_factory=lambda: {"positive": "positive", "neutral": "neutral", "negative": "negative"},
        min_length=2,
        description="each label of the file, and the word that the model is to say for it",
    )
    shots: int = Field(default=3, ge=0, le=MAX_SHOTS, description="worked examples, as many of each label")

    @model_validator(mode="after")
    def _examples_show_every_label(self) -> Self:
        if self.shots % len(self.labels):
            raise ValueError(
                f"{self.shots} shots cannot show {len(self.labels)} labels equally often; "
                f"use a multiple of {len(self.labels)}"
            )
        if len(set(self.labels.values())) < len(self.labels):
            raise ValueError("two labels are said with the same word")
        return self


class MultipleChoiceSet(_OfOneLanguage):
    """Questions with options, one of which is right; scored with accuracy."""

    kind: Literal["multiple_choice"]
    question: str = Field(default="question", description="column of the question")
    passage: str | None = Field(default=None, description="column of a text that the question is about")
    options: str | tuple[str, ...] = Field(
        default="options", description="column that holds a list of options, or one column for each"
    )
    answer: str = Field(default="answer", description="column of the right one: a letter, or its number")
    first: Literal[0, 1] = Field(default=0, description="number of the first option, where answers are numbers")
    says: Literal["letter", "option"] = Field(
        default="letter", description="the model is to say the option's letter, or the option itself"
    )


class PerplexitySet(_OfOneLanguage):
    """Plain text; scored by how well the model predicts it."""

    kind: Literal["perplexity"]
    text: str = Field(default="text", description="column of the text")
    shots: Literal[0] = Field(default=0, description="text is read as it is")


def _kind_of(value: Any) -> str:
    kind = value.get("kind", "translation") if isinstance(value, dict) else getattr(value, "kind", "translation")
    return str(kind)


TestSet: TypeAlias = Annotated[
    Annotated[TranslationSet, Tag("translation")]
    | Annotated[WordsSet, Tag("words")]
    | Annotated[SentimentSet, Tag("sentiment")]
    | Annotated[MultipleChoiceSet, Tag("multiple_choice")]
    | Annotated[PerplexitySet, Tag("perplexity")],
    Discriminator(_kind_of),
]
KINDS: dict[str, type[_TestSet]] = {
    "translation": TranslationSet,
    "words": WordsSet,
    "sentiment": SentimentSet,
    "multiple_choice": MultipleChoiceSet,
    "perplexity": PerplexitySet,
}
