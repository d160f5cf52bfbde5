"""`CardFacts`: everything a card says, as plain typed values; every output is rendered from this one object.

Numbers are rounded here, once, so that page, metadata and JSON cannot disagree.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from toolkit.records import BaseInfo, DataInfo, Hardware, Record, SelectionInfo, TaskKind, shown_change

Grade = Literal["good", "fair", "weak", "poor", "no gain", "worse"]
Change = Literal["better", "same", "worse"]

BASE, ADAPTED = "base", "adapted"


class LanguageFacts(Record):
    """A language as the card names it; languages outside of the registry have their code alone."""

    code: str = Field(description="ISO 639-3")
    tag: str = Field(description="code with script where known, e.g. jav_Latn")
    hub_code: str | None = Field(description="the code that the Hub accepts, where there is one")
    english: str
    own: str | None = None
    spoken_in: str | None = None
    known: bool = Field(description="whether the base was trained to keep it, rather than to learn it")


class Measurement(Record):
    """What one model scored, rounded as it is shown."""

    model: str
    value: float
    low: float | None = None
    high: float | None = None


KIND_NAMES: dict[TaskKind, str] = {
    "translation": "translation",
    "likelihood": "likelihood of translations",
    "words": "words",
    "sentiment": "sentiment",
    "multiple_choice": "questions with options",
    "consistency": "language consistency",
    "perplexity": "plain text",
}


class ScoreRow(Record):
    """One metric of one task: a row of the evaluation table."""

    task: str
    kind: TaskKind = "translation"
    direction: str = Field(description="e.g. eng>jav; where there is one language, its code")
    source: str = Field(description="English name of the source language, or of the one language")
    target: str = Field(description="English name of the target language; empty where there is one language")
    role: Literal["target", "known"]
    dataset: str
    data_fingerprint: str
    n: int
    shots: int
    seeds: tuple[int, ...] = Field(description="of the draws of worked examples, of which the score is the mean")
    prompt: str
    decoding: dict[str, Any]
    metric: str
    decimals: int
    signature: str
    lower_is_better: bool = False
    measurements: tuple[Measurement, ...] = Field(description="base first, then adapted, then other runs")
    p_value: float | None = Field(default=None, description="that a difference from the base this large is chance")
    caution: str | None = Field(default=None, description="why not to rely on these scores, where there is a reason")
    change: Change | None = Field(default=None, description="of adapted against base, beyond chance; None if unknown")

    @property
    def what(self) -> str:
        """What was asked, in words: `English → Javanese`, `Javanese, sentiment`."""
        languages = f"{self.source} → {self.target}" if self.target else self.source
        return languages if self.kind == "translation" else f"{languages}, {KIND_NAMES[self.kind]}"

    def of(self, model: str) -> Measurement | None:
        """What this model scored, where it was measured."""
        return next((measured for measured in self.measurements if measured.model == model), None)

    @property
    def base(self) -> Measurement | None:
        return self.of(BASE)

    @property
    def adapted(self) -> Measurement | None:
        return self.of(ADAPTED)

    @property
    def difference(self) -> float | None:
        """Adapted minus base, as shown."""
        if self.base is None or self.adapted is None:
            return None
        return shown_change(self.base.value, self.adapted.value, self.decimals)


class Verdict(Record):
    """What a direction is worth on one test set, by the rule in `verdict`."""

    direction: str
    source: str
    target: str
    dataset: str
    metric: str
    grade: Grade
    value: float
    base_value: float | None = None


class Example(Record):
    """One test sentence with what base and adapted model made of it."""

    direction: str
    source_text: str
    reference: str
    base: str | None = None
    adapted: str


class DeltaFacts(Record):
    """How large the delta is and what it changes."""

    file: str
    size_bytes: int
    sha256: str
    base_size_bytes: int
    share_of_base: float = Field(description="size of the delta over size of the base, 0 to 1")
    bits_per_weight: float
    changed_tensors: int
    changed_weights: int = Field(description="weights whose bits differ from the base's")
    weights: int = Field(description="weights in the changed tensors")
    layers: tuple[int, ...] = Field(description="decoder layers in which something changed")
    outside: tuple[str, ...] = Field(description="changed tensors outside of the decoder layers")
    base_fingerprint: str
    merged_fingerprint: str


class TrainingFacts(Record):
    """How the run was trained."""

    data: tuple[DataInfo, ...]
    method: str = Field(default="weights", description="weights, neurons or lora")
    trained_parameters: int | None = None
    backend: str = "transformers"
    recipe: dict[str, Any]
    recipe_changes: dict[str, Any] = Field(description="fields that differ from the defaults; data is shown elsewhere")
    steps: int
    examples: int
    tokens: int
    first_loss: float
    final_loss: float
    final_loss_steps: int | None = None
    held_out_loss: float | None = None
    seconds: float
    peak_memory_bytes: int | None = None
    trained_dtype: str
    hardware: Hardware
    energy_kwh: float | None = None
    emissions_grams: float | None = None
    country: str | None = None
    versions: dict[str, str]
    date: str


class FullRun(Record):
    """The run that trained every weight on the same data, and whose scores stand beside this one's."""

    trained_weights: int
    steps: int
    seconds: float
    device: str
    recipe_differences: dict[str, Any] = Field(description="fields other than `select` that differ from this run's")


class CardFacts(Record):
    """Everything a card says. What was not measured is None or empty, and is left out of the card."""

    name: str = Field(description="what commands call it: Hub id `org/name`, or the name of the folder")
    published: bool = Field(description="whether `name` is a Hub id")
    language: LanguageFacts
    languages: tuple[LanguageFacts, ...] = Field(description="all that it was trained on, the new one first")
    directions: tuple[str, ...] = Field(description="directions it was trained on")
    untested: tuple[str, ...] = Field(description="trained directions that no evaluation covers")
    prompt: str
    max_tokens: int
    base: BaseInfo
    base_name: str = Field(description="what people call it, e.g. Llama-2-7b-hf")
    base_on_hub: bool
    base_licence: str = Field(description="Hub licence tag; `unknown` where no record says")
    selection: SelectionInfo
    delta: DeltaFacts
    training: TrainingFacts | None = None
    full: FullRun | None = None
    scores: tuple[ScoreRow, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    examples: tuple[Example, ...] = ()
    evaluation_versions: dict[str, str] = Field(default_factory=dict)
    contributors: tuple[str, ...] = ()

    @property
    def target_scores(self) -> tuple[ScoreRow, ...]:
        return tuple(row for row in self.scores if row.role == "target")

    @property
    def known_scores(self) -> tuple[ScoreRow, ...]:
        return tuple(row for row in self.scores if row.role == "known")
