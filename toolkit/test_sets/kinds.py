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
    limit: int | None = Field(default=None, ge=1, description="rows, or of words questions, to score, the first ones")
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
            return self.file_beside(self.shots_path)
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


class SentencePairs(_Directed):
    """Sentences that translate each other, in one table or, on the Hub, in one for each language."""

    configs: dict[str, str] = Field(
        default_factory=dict, description="hub: configuration of each language, where each has its own (FLORES+)"
    )
    joined_by: str = Field(default="id", description="configs: column that is the same for the same sentence")
    text: str = Field(default="text", description="configs: column of the sentence")

    @model_validator(mode="after")
    def _configs_are_for_the_hub(self) -> Self:
        if self.configs and (self.hub is None or self.config is not None or self.columns):
            raise ValueError("`configs` are for a data set on the Hub, instead of `config` and `columns`")
        return self


class TranslationSet(SentencePairs):
    """Sentence pairs; scored with chrF++ and BLEU, and with COMET where it is installed."""

    kind: Literal["translation"] = "translation"
    spbleu: bool = Field(default=False, description="score with spBLEU too; fetches its SentencePiece model once")
    max_new_tokens: int = Field(default=128, ge=1, description="longest answer, in tokens")


class LikelihoodSet(SentencePairs):
    """Sentence pairs; scored by how well the model expects the given translation, without writing one itself.

    It moves long before translations become readable, and varies less than they do.
    """

    kind: Literal["likelihood"]


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


class ConsistencySet(_OfOneLanguage):
    """The same questions in a language and in English; scored with language consistency and accuracy.

    Instruction and question come in either language, which makes four scenarios (LinguaMap, arXiv 2601.20009); the
    answer is always asked for in the one language. Without the questions in English there are two.
    """

    kind: Literal["consistency"]
    answers_are: Literal["number", "text", "letter"] = Field(
        description="what is right: the last number (MGSM), a text (XQuAD), or the letter of an option (MMLU)"
    )
    question: str = Field(default="question", description="column of the question")
    passage: str | None = Field(default=None, description="column of a text that the question is about")
    options: str | tuple[str, ...] | None = Field(
        default=None, description="letter: column that holds a list of options, or one column for each"
    )
    answer: str = Field(
        default="answer", description="column of the right answer; a text may be a list of accepted ones"
    )
    first: Literal[0, 1] = Field(default=0, description="letter: number of the first option, where answers are numbers")
    english: dict[str, str] = Field(
        default_factory=dict,
        description="where both languages are in one table, columns of the English, {question: en}",
    )
    english_path: str | None = Field(default=None, description="file with the same questions and columns in English")
    english_config: str | None = Field(default=None, description="hub: configuration that has them in English")
    key: str | None = Field(default=None, description="column by which the two belong together; default their order")
    instructions: dict[str, str] = Field(
        default_factory=dict, description="your own wording, {jav: ...}; in the English one, {language} names the other"
    )
    shots: Literal[0] = Field(default=0, description="questions are asked without examples")
    max_new_tokens: int = Field(default=128, ge=1, description="longest answer, in tokens")

    @model_validator(mode="after")
    def _english_is_in_one_place(self) -> Self:
        if sum(map(bool, (self.english, self.english_path, self.english_config))) > 1:
            raise ValueError("the English questions are in `english`, `english_path` or `english_config`: name one")
        if self.english_path and self.hub:
            raise ValueError("english_path is for files; of a data set on the Hub, name english_config")
        if self.english_config and not self.hub:
            raise ValueError("english_config is for data sets on the Hub; name a file with english_path")
        if self.key and not (self.english_path or self.english_config):
            raise ValueError("`key` joins two places; name english_path or english_config too")
        needed = {"question", *(["passage"] if self.passage else []), *(["options"] if self.options else [])}
        if self.english and set(self.english) - {"answer"} != needed:
            raise ValueError(f"`english` must name the columns of {', '.join(sorted(needed))}, and may name `answer`")
        if (self.options is None) == (self.answers_are == "letter"):
            raise ValueError("`options` are needed where answers are letters, and only there")
        if "{language}" not in self.instructions.get("eng", "{language}"):
            raise ValueError("an instruction in English must say {language}: it asks for an answer in that language")
        return self

    @property
    def english_place(self) -> Place | None:
        """Where the same questions are in English, if that is a place of its own."""
        if self.english_path:
            return self.file_beside(self.english_path)
        if self.english_config:
            return Place(hub=self.hub, config=self.english_config, split=self.split, revision=self.revision)
        return None


def _kind_of(value: Any) -> str:
    kind = value.get("kind", "translation") if isinstance(value, dict) else getattr(value, "kind", "translation")
    return str(kind)


TestSet: TypeAlias = Annotated[
    Annotated[TranslationSet, Tag("translation")]
    | Annotated[LikelihoodSet, Tag("likelihood")]
    | Annotated[WordsSet, Tag("words")]
    | Annotated[SentimentSet, Tag("sentiment")]
    | Annotated[MultipleChoiceSet, Tag("multiple_choice")]
    | Annotated[ConsistencySet, Tag("consistency")]
    | Annotated[PerplexitySet, Tag("perplexity")],
    Discriminator(_kind_of),
]
KINDS: dict[str, type[_TestSet]] = {
    "translation": TranslationSet,
    "likelihood": LikelihoodSet,
    "words": WordsSet,
    "sentiment": SentimentSet,
    "multiple_choice": MultipleChoiceSet,
    "consistency": ConsistencySet,
    "perplexity": PerplexitySet,
}
