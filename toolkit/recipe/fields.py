"""What a recipe says: a field for everything that determines a training run."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from toolkit.languages import get_language, parse_direction
from toolkit.places import Place
from toolkit.prompts import TEMPLATES, get_template
from toolkit.records import Origin
from toolkit.test_sets.kinds import TestSet


class DataSource(Place):
    """One source of training data: a file, or a data set on the Hub."""

    kind: Literal["parallel", "instructions", "text"] = Field(
        default="parallel",
        description="sentence pairs, Alpaca rows, or plain text (a document per line, or per block between blank "
        "lines) that is packed to max_tokens with the loss on every token",
    )
    language: str | None = Field(
        default=None, description="instructions and text: ISO 639-3 code; default the language to learn"
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="parallel: column of each language, {eng: english}; left out where columns are named by code. "
        "text: column of the text, {jav: body}; default `text`",
    )
    directions: tuple[str, ...] = Field(default=(), description="parallel: directions to train; default both")
    limit: int | None = Field(default=None, ge=1, description="rows to use, the first after shuffling by the seed")
    weight: float = Field(
        default=1.0, gt=0, le=100, description="how often its examples are drawn, relative to their number"
    )
    on_bad_row: Literal["stop", "drop"] = Field(
        default="stop", description="path: a row that cannot be read stops the run, or is left out and counted"
    )
    licence: str | None = Field(default=None, description="licence of the data, as the card will print it")
    origin: Origin | None = Field(
        default=None, description="written, human translation, machine translation or phrasebook; the card warns by it"
    )

    @model_validator(mode="after")
    def _options_fit_the_kind(self) -> DataSource:
        if self.kind == "parallel" and self.language is not None:
            raise ValueError("`language` is for instructions and text; sentence pairs have `directions`")
        if self.kind != "parallel" and self.directions:
            raise ValueError(f"`directions` are for sentence pairs, and this source is of kind {self.kind}")
        return self


class Recipe(BaseModel):
    """What a training run depends on. Every field is printed in the card."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    language: str = Field(description="ISO 639-3 code of the language to learn")
    base: str = Field(description="`pocket`, a folder, or a Hub id")
    base_revision: str | None = Field(default=None, description="commit of a base on the Hub; pin it")
    select: str = Field(
        default="cogsym:25%", description="which weights train, METHOD[:BUDGET]; `cogsym select --help` lists them"
    )
    select_rows: int | None = Field(
        default=None,
        ge=1,
        description="what a ranked selection looks at: examples for fisher, default 250; sentences per language for "
        "neurons, default 1000",
    )
    embeddings: bool | None = Field(default=None, description="train the embeddings; default: the method's rule")
    head: bool | None = Field(default=None, description="train the LM head; default: the method's rule")
    final_norm: bool = Field(default=False, description="train the norm before the LM head")
    method: Literal["weights", "lora"] = Field(
        default="weights", description="train the selected weights themselves, or LoRA adapters beside them"
    )
    lora_rank: int = Field(default=16, ge=1, description="rank of the adapters")
    lora_alpha: int = Field(default=16, ge=1, description="adapters are scaled by alpha / rank")
    lora_dropout: float = Field(default=0.0, ge=0, lt=1, description="share of an adapter's inputs left out")
    order: Literal["together", "front_then_rear", "rear_then_front"] = Field(
        default="together",
        description="train both ends of the selection at once, or one after the other, each for all epochs or steps, "
        "with half of the memory for gradients and optimiser",
    )
    frozen: Literal["16bit", "4bit"] = Field(
        default="16bit", description="4bit keeps the layers that do not train in NF4; needs bitsandbytes"
    )
    backend: Literal["auto", "transformers", "unsloth"] = Field(
        default="auto", description="what trains; auto: unsloth where it is installed and there is a GPU"
    )

    data: tuple[DataSource, ...] = Field(min_length=1, description="what teaches the language")
    replay: tuple[DataSource, ...] = Field(default=(), description="what keeps the languages that the base knows")
    replay_share: float = Field(default=0.15, ge=0, lt=1, description="share of replay among the training examples")
    on_leak: Literal["stop", "drop"] = Field(
        default="stop",
        description="training rows that share a sentence with a test set: stop before training, or leave them out",
    )
    held_out_share: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="share of the teaching rows kept from training to measure the loss on, chosen by their fingerprint",
    )
    evaluation: tuple[TestSet, ...] = Field(default=(), description="test sets")

    prompt: str = Field(default="alpaca", description=f"wording: {' or '.join(TEMPLATES)}")
    max_tokens: int = Field(
        default=512, ge=8, description="longest prompt and answer, in tokens; longer rows are left out"
    )
    epochs: float = Field(default=1.0, gt=0, description="passes over the data; not used with max_steps")
    max_steps: int | None = Field(default=None, ge=1, description="optimiser steps")
    batch_size: int = Field(default=8, ge=1, description="examples per optimiser step")
    micro_batch_size: int | None = Field(
        default=None, ge=1, description="examples per forward pass; default batch_size"
    )
    learning_rate: float = Field(
        default_factory=lambda fields: usual_learning_rate(fields.get("method"), fields.get("select")),
        gt=0,
        description="peak learning rate; default 2e-5, for LoRA 2e-4, for a subnetwork 1e-4",
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(default="cosine", description="after the warm-up")
    warmup_share: float = Field(default=0.03, ge=0, lt=1, description="share of the steps that warm up")
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0, description="gradients are clipped to this norm")
    optimizer: Literal["adamw", "adamw_8bit"] = Field(default="adamw", description="adamw_8bit needs bitsandbytes")
    trained_dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="dtype of the weights that train; auto: bfloat16 on a GPU with adamw_8bit, else float32",
    )
    gradient_checkpointing: bool = Field(default=False, description="less memory, about a third slower")
    checkpoint_steps: int = Field(default=200, ge=1, description="steps between checkpoints to resume from")
    keep_best: bool = Field(
        default=False,
        description="save the weights of the checkpoint with the lowest loss on the held-out rows, not the last ones",
    )
    report_to: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = Field(
        default=(), description="where else to show the metrics while training"
    )
    seed: int = Field(
        default=0, ge=0, le=2**32 - 1, description="of shuffling, mixing, dropout and what a selection draws"
    )

    @model_validator(mode="after")
    def _fields_agree(self) -> Recipe:
        get_language(self.language)
        get_template(self.prompt)
        for source in (*self.data, *self.replay):
            get_language(source.language or self.language)
            for direction in source.directions:
                parse_direction(direction)
        self._tests_have_names()
        if self.keep_best and not self.held_out_share:
            raise ValueError("keep_best needs held_out_share, so that there are rows to measure the loss on")
        micro = self.micro_batch_size
        if micro is not None and self.batch_size % micro:
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of micro_batch_size {micro}")
        if self.method == "lora" and self.final_norm:
            raise ValueError("final_norm: a norm can have no LoRA adapter; leave it out, or use method: weights")
        adapters = [name for name in self.changes() if name.startswith("lora_")]
        if self.method != "lora" and adapters:
            raise ValueError(f"{adapters[0]} has no effect without method: lora")
        return self

    def _tests_have_names(self) -> None:
        seen: set[tuple[str, ...]] = set()
        for test in self.evaluation:
            for direction in getattr(test, "directions", ("",)):
                name = (test.dataset, test.kind, direction or getattr(test, "language", None) or self.language)
                if name in seen:
                    raise ValueError(
                        f"two test sets of kind {test.kind} are called '{test.dataset}' in {name[2]}; "
                        "give each a `name:` of its own"
                    )
                seen.add(name)

    def steps(self, examples: int) -> int:
        """Optimiser steps of one phase over so many examples, each pass to its end: the last batch may be smaller."""
        if self.max_steps is not None:
            return self.max_steps
        in_a_pass = math.ceil(examples / self.batch_size)
        return max(1, math.ceil(round(self.epochs * in_a_pass, 6)))  # 0.1 * 30 is a little more than 3

    def changes(self) -> dict[str, Any]:
        """The fields that differ from their defaults."""
        changes = self.model_dump(mode="json", exclude_defaults=True)
        if self.learning_rate == usual_learning_rate(self.method, self.select):
            changes.pop("learning_rate", None)
        return changes


def usual_learning_rate(method: str | None, select: str | None) -> float:
    """The peak learning rate where a recipe names none; our choice where a paper's is not known."""
    if method == "lora":
        return 2e-4
    neurons = (select or "").startswith(("subnetwork", "random:subnetwork"))
    return 1e-4 if neurons else 2e-5  # 1e-4: arXiv 2510.13580
