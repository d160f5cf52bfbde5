"""The facts of a run as small typed JSON files; cards, tables and pages are made from these alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.errors import CardError

TaskKind = Literal["translation", "likelihood", "words", "sentiment", "multiple_choice", "consistency", "perplexity"]
"""What an evaluation task asks of a model."""

Origin = Literal["written", "human translation", "machine translation", "phrasebook"]
"""How text came to be: by people, translated by people, translated by a program, or put together from a grammar."""


class Record(BaseModel):
    """A frozen set of facts that is written to, and read back from, one JSON file."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")

    def write(self, path: Path) -> Path:
        """Write as JSON, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            draft.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
            os.replace(draft, path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """The record in this file.

        Raises:
            CardError: if the file is missing, is not JSON, or breaks the schema.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CardError(f"record {path} cannot be read: {error}", "run the step that writes it again") from error
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the file"
            raise CardError(
                f"record {path} is not a {cls.__name__}: {field}: {first['msg']}", "run the step that writes it again"
            ) from error


class BaseInfo(Record):
    """Which base model, exactly."""

    id: str = Field(description="Hub id, `pocket`, or the name of a local folder (never its path)")
    revision: str | None = Field(default=None, description="commit of the base repository, where it has one")
    architecture: str = Field(description="class name in transformers, e.g. LlamaForCausalLM")
    dtype: str = Field(description="dtype of the weights on disk, as safetensors names it: BF16, F16, F32")
    n_layers: int = Field(description="decoder layers")
    n_weights: int = Field(description="weights in the whole model, tied ones counted once")
    size_bytes: int = Field(description="bytes of all tensors on disk")
    licence: str | None = Field(default=None, description="Hub licence tag of the base, e.g. llama2")


class SelectionInfo(Record):
    """Which weights were allowed to train."""

    method: str = Field(description="e.g. cogsym")
    budget: str | None = Field(default=None, description="as asked for: `8` layers or `25%`")
    layers: tuple[int, ...] = Field(description="indices of the decoder layers that train")
    n_layers: int
    embeddings: bool
    head: bool
    final_norm: bool
    parameters: tuple[str, ...] = Field(description="exact names of the tensors that train")
    neurons: dict[int, tuple[int, ...]] | None = Field(
        default=None,
        description="per layer, the feed-forward neurons that train: their rows of gate and up, their columns of down; "
        "None where whole tensors train",
    )
    scores: tuple[float, ...] | None = Field(
        default=None, description="what the method ranked the layers by, one number per layer; None for fixed positions"
    )
    evidence: dict[str, Any] = Field(
        default_factory=dict, description="what the scores were computed from: rows, seed, fingerprint, settings"
    )
    trained_weights: int
    total_weights: int

    @property
    def share(self) -> float:
        """Share of the model's weights that train, 0 to 1."""
        return self.trained_weights / self.total_weights


class Identification(Record):
    """What language identification made of one side of a source; it errs, most on short text and close relatives."""

    language: str = Field(description="ISO 639-3 code of the language claimed")
    rows: int = Field(description="rows looked at")
    share: float | None = Field(
        description="share identified as that language; None where the identification does not know it"
    )
    next_best: str | None = Field(default=None, description="code of what most other rows were taken for")
    next_share: float | None = None
    identifier: str = Field(
        default="lid.176", description="the model that identified: lid.176, GlotLID, or a file's name"
    )


class DataInfo(Record):
    """One source of training data, after cleaning."""

    name: str = Field(description="file name or Hub id, never a local path")
    kind: Literal["parallel", "instructions", "text"]
    role: Literal["target", "replay"] = Field(description="teaches the new language, or keeps a known one")
    languages: tuple[str, ...] = Field(description="ISO 639-3 codes")
    rows: int = Field(description="rows used")
    dropped: dict[str, int] = Field(default_factory=dict, description="rows left out, by reason")
    first_dropped: dict[str, str] = Field(
        default_factory=dict, description="where the first row left out for that reason stands, e.g. `line 12`"
    )
    fingerprint: str = Field(description="sha256 over the used rows")
    licence: str | None = None
    origin: Origin | None = Field(default=None, description="how the text came to be, where known")
    weight: float = Field(default=1.0, description="how often its examples were drawn, relative to their number")
    held_out: int = Field(default=0, description="rows kept from training, on which the loss was measured")
    identified: tuple[Identification, ...] = Field(
        default=(), description="per language, what language identification made of it; empty where it was not run"
    )


class Hardware(Record):
    """What a step ran on."""

    device: str = Field(description="e.g. `CPU, 2 threads` or `NVIDIA RTX 4090`")
    memory_bytes: int | None = Field(default=None, description="memory of the device")


class TrainingRecord(Record):
    """How a run was trained."""

    language: str
    base: BaseInfo
    selection: SelectionInfo
    method: Literal["weights", "neurons", "lora"] = Field(
        default="weights",
        description="what trained: the selected tensors, some of their neurons, or LoRA adapters beside them",
    )
    trained_parameters: int | None = Field(
        default=None, description="numbers that the optimiser could change; for LoRA those of the adapters"
    )
    backend: Literal["transformers", "unsloth"] = Field(default="transformers", description="what trained it")
    data: tuple[DataInfo, ...]
    tests: tuple[str, ...] = Field(
        default=(), description="sha256 of the sentences of each test set that the data was compared with"
    )
    recipe: dict[str, Any] = Field(description="every field of the recipe, local paths reduced to file names")
    recipe_changes: dict[str, Any] = Field(description="the recipe's fields that differ from the defaults")
    steps: int = Field(description="optimiser steps, over all phases where the ends trained one after the other")
    examples: int = Field(description="training examples after mixing, per epoch")
    too_long: int = Field(default=0, description="examples left out for their length")
    tokens: int = Field(description="tokens seen, padding not counted")
    first_loss: float = Field(description="mean of the first logged steps, in nats per token")
    final_loss: float = Field(description="mean of the last `final_loss_steps`, in nats per token")
    final_loss_steps: int | None = Field(
        default=None, description="the last tenth of the steps, at least 10, at most half; None: as last logged"
    )
    held_out_loss: float | None = Field(
        default=None, description="of the saved weights on the rows kept from training; None where there were none"
    )
    seconds: float
    peak_memory_bytes: int | None = None
    trained_dtype: str = Field(description="dtype in which trained weights were kept while training")
    hardware: Hardware
    energy_kwh: float | None = Field(
        default=None, description="estimated by codecarbon; None where it was not there, or the run was resumed"
    )
    emissions_grams: float | None = Field(
        default=None, description="CO2 equivalents of that energy; None where nobody has said in which country it was"
    )
    country: str | None = Field(default=None, description="whose mix of power the emissions are for")
    versions: dict[str, str]
    date: str = Field(description="ISO 8601 date on which training ended")


class Beginning(Record):
    """What a run was begun with; one that is resumed must go on with the same."""

    recipe: dict[str, Any] = Field(description="every field of the recipe, local paths reduced to file names")
    data: tuple[DataInfo, ...]
    base: str = Field(description="sha256 over config, tokenizer, layout and evenly spaced parts of the base's tensors")
    selection: str = Field(description="sha256 over the names and neurons that train")


class TensorChange(Record):
    """What happened to one tensor."""

    name: str
    layer: int | None = Field(default=None, description="decoder layer, or None outside of them")
    weights: int
    changed: int = Field(description="weights whose bits differ")
    size_bytes: int = Field(description="bytes that this tensor takes in the delta")
    rms: float = Field(description="root mean square of new minus old value, over all its weights")
    coding: str = Field(default="", description="how the delta codes it, e.g. exponent+rows, rank 16, or raw")


class DeltaInfo(Record):
    """How large a delta is and what it changes."""

    format_version: str
    file: str = Field(description="file name of the delta")
    size_bytes: int
    sha256: str
    base: BaseInfo
    base_fingerprint: str = Field(description="sha256 over the names, shapes and digests of all tensors of the base")
    merged_fingerprint: str = Field(
        description="sha256 over the names, shapes and digests of all tensors after merging"
    )
    tensors: tuple[TensorChange, ...]

    @property
    def weights(self) -> int:
        """Weights in the changed tensors."""
        return sum(tensor.weights for tensor in self.tensors)

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.size_bytes / self.weights if self.weights else 0.0


class DeltaConfig(Record):
    """`config.json` of a published delta: what a reader needs to use it. The Hub counts downloads by this file."""

    model_type: Literal["cogsym-delta"] = "cogsym-delta"
    format_version: str
    language: str
    known_languages: tuple[str, ...] = ()
    directions: tuple[str, ...] = Field(description="directions it was trained on, e.g. eng>jav")
    prompt: str = Field(description="name of the prompt template")
    max_tokens: int = Field(description="longest prompt and answer seen in training, in tokens")
    base: BaseInfo
    base_fingerprint: str
    selection: SelectionInfo
    delta_file: str = "delta.safetensors"
    delta_sha256: str


class Score(Record):
    """One number, with all that is needed to cite it."""

    metric: str = Field(description="chrF++, BLEU, COMET-22, accuracy, ...")
    value: float
    low: float | None = Field(default=None, description="lower end of the 95% interval")
    high: float | None = Field(default=None, description="upper end of the 95% interval")
    p_value: float | None = Field(
        default=None,
        description="paired bootstrap against the base: how likely so large a difference is by the draw of sentences",
    )
    signature: str = Field(description="the metric's own signature: name, version, settings")
    lower_is_better: bool = False
    draws: tuple[float, ...] = Field(
        default=(), description="its value with each draw of worked examples, of which `value` is the mean; if several"
    )
    against: dict[str, float] = Field(
        default_factory=dict, description="p values of the difference from other runs, by their names"
    )
    caution: str | None = Field(default=None, description="why not to rely on it, where there is a reason")


class EvaluationRecord(Record):
    """What one model scored on one task in one direction."""

    task: str = Field(description="name of the lm-eval task; a further draw of examples has `_seedN` behind it")
    kind: TaskKind = "translation"
    model: str = Field(description="`base`, `adapted`, or the name of another run")
    direction: str = Field(description="e.g. eng>jav; where there is one language, its code")
    role: Literal["target", "known"] = Field(description="the new language, or one that must not get worse")
    dataset: str = Field(description="name of the test set, never a local path")
    data_fingerprint: str = Field(description="sha256 over the rows used")
    n: int = Field(description="sentences")
    left_out: str | None = Field(
        default=None, description="how many rows cleaning left out, why, and where the first ones stand; None for none"
    )
    shots: int
    seeds: tuple[int, ...] = Field(description="one for each draw of worked examples that was answered")
    prompt: str = Field(description="name of the prompt template, or of the task's own wording")
    example_prompt: str = Field(description="the first prompt, exactly as the model saw it")
    prompts_sha256: tuple[str, ...] = Field(description="per draw, over everything that the model was shown")
    decoding: dict[str, Any]
    scores: tuple[Score, ...]
    judged: dict[str, str] = Field(
        default_factory=dict, description="signatures of metrics whose values lie in each sample, e.g. COMET-22"
    )
    base_fingerprint: str
    delta_sha256: str | None = Field(default=None, description="of the delta that was on the base; None for the base")
    seconds: float
    versions: dict[str, str]
    samples: tuple[str, ...] = Field(default=(), description="per draw, file name of the samples, under `samples/`")

    def score(self, metric: str) -> Score | None:
        """The score of this metric, where it was measured."""
        return next((score for score in self.scores if score.metric == metric), None)


def shown_change(before: float, after: float, decimals: int) -> float:
    """How far apart two scores are once rounded: what a reader finds who subtracts the numbers shown."""
    return round(round(after, decimals) - round(before, decimals), decimals)
