"""A recipe: everything that determines a training run, read from one YAML file and saved with the run."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from toolkit.errors import RecipeError
from toolkit.languages import get_language, look_in, parse_direction
from toolkit.languages.registry import own_file
from toolkit.places import Place
from toolkit.prompts import TEMPLATES, get_template
from toolkit.records import Origin
from toolkit.test_sets.kinds import KINDS, TestSet


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

    model_config = ConfigDict(extra="forbid", frozen=True)

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
        description="dtype of the weights that train (master weights); auto: float32 on a CPU, bfloat16 on a GPU",
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
    seed: int = Field(default=0, ge=0, description="of shuffling, mixing, dropout and what a selection draws")

    @model_validator(mode="after")
    def _fields_agree(self) -> Recipe:
        get_language(self.language)
        get_template(self.prompt)
        for source in (*self.data, *self.replay):
            get_language(source.language or self.language)
            for direction in source.directions:
                parse_direction(direction)
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

    def changes(self) -> dict[str, Any]:
        """The fields that differ from their defaults."""
        changes = self.model_dump(mode="json", exclude_defaults=True)
        if self.learning_rate == usual_learning_rate(self.method, self.select):
            changes.pop("learning_rate", None)
        return changes


class _Tests(BaseModel):
    """Test sets without a recipe around them."""

    evaluation: tuple[TestSet, ...]


def usual_learning_rate(method: str | None, select: str | None) -> float:
    """The peak learning rate where a recipe names none; our choice where a paper's is not known."""
    if method == "lora":
        return 2e-4
    return 1e-4 if (select or "").partition(":")[0] == "subnetwork" else 2e-5  # 1e-4: arXiv 2510.13580


def read_recipe(path: Path, folder: Path | None = None) -> Recipe:
    """The recipe in this YAML file, its relative paths resolved against `folder`; default the file's own.

    A language that does not come with the toolkit is looked for beside the file.

    Raises:
        RecipeError: if the file is missing, is not YAML, or has an unknown key or a value out of range.
    """
    fields = _read_fields(path)
    look_in(path.parent)
    return resolve_paths(make_recipe(fields, where=f"recipe {path}"), folder or path.parent)


def _read_fields(path: Path) -> dict[str, Any]:
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(
            f"no recipe at {path}", "`cogsym recipes` lists the recipes that come with the toolkit"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"recipe {path} cannot be read: {error}", "write it as YAML in UTF-8") from error
    if not isinstance(fields, dict):
        raise RecipeError(f"recipe {path} holds no fields", "start with `language:`, `base:` and `data:`")
    return fields


def read_tests(path: Path, folder: Path | None = None) -> tuple[TestSet, ...]:
    """The test sets under `evaluation:` of a recipe, or of a YAML file with nothing else.

    Raises:
        RecipeError: as `read_recipe`; also if there is no `evaluation:`.
    """
    fields = _read_fields(path)
    look_in(path.parent)
    if not fields.get("evaluation"):
        raise RecipeError(f"{path} names no test set", "add one under `evaluation:`")
    return make_tests(fields["evaluation"], folder or path.parent, where=str(path.name))


def make_tests(entries: Any, folder: Path, where: str) -> tuple[TestSet, ...]:
    """Checked test sets from plain fields, their relative paths resolved against `folder`.

    Raises:
        RecipeError: naming the field and the value seen.
    """
    try:
        made = _Tests.model_validate({"evaluation": entries})
    except ValidationError as error:
        raise _explain(error, where) from error
    return _absolute(made.evaluation, folder)


def make_recipe(fields: dict[str, Any], where: str = "recipe") -> Recipe:
    """A checked recipe from plain fields.

    Raises:
        RecipeError: naming the field, the value seen, and the nearest real key for an unknown one.
    """
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        raise _explain(error, where) from error


def resolve_paths(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with relative data paths, and a base that is a folder, made absolute against `folder`."""
    update: dict[str, Any] = {
        "data": _absolute(recipe.data, folder),
        "replay": _absolute(recipe.replay, folder),
        "evaluation": _absolute(recipe.evaluation, folder),
    }
    if (folder / recipe.base).is_dir():
        update["base"] = str((folder / recipe.base).resolve())
    return recipe.model_copy(update=update)


def _absolute(places: Iterable[Any], folder: Path) -> tuple[Any, ...]:
    return tuple(
        place.model_copy(update={field: str((folder / path).resolve()) for field, path in _paths(place).items()})
        for place in places
    )


def local_files(recipe: Recipe) -> tuple[Path, ...]:
    """Every file that the recipe needs, once each, languages of one's own included; data sets on the Hub are none."""
    sources = (*recipe.data, *recipe.replay, *recipe.evaluation)
    named = [Path(path) for source in sources for path in _paths(source).values()]
    return tuple(dict.fromkeys([*named, *own_languages(recipe)]))


def own_languages(recipe: Recipe) -> tuple[Path, ...]:
    """The files of the languages in the recipe that do not come with the toolkit."""
    sources = (*recipe.data, *recipe.replay, *recipe.evaluation)
    directions = (direction for source in sources for direction in getattr(source, "directions", ()))
    codes = {recipe.language, *(code for direction in directions for code in direction.split(">"))}
    codes |= {code for source in sources for code in (getattr(source, "language", None), *_columns(source)) if code}
    return tuple(path for code in sorted(codes) if (path := own_file(code)) is not None)


def portable(recipe: Recipe) -> Recipe:
    """The recipe as it may be published: file and folder names instead of this machine's paths."""

    def named(source: Any) -> Any:
        return source.model_copy(update={field: Path(path).name for field, path in _paths(source).items()})

    return recipe.model_copy(
        update={
            "base": Path(recipe.base).name if Path(recipe.base).is_absolute() else recipe.base,
            "data": tuple(map(named, recipe.data)),
            "replay": tuple(map(named, recipe.replay)),
            "evaluation": tuple(map(named, recipe.evaluation)),
        }
    )


def _paths(source: Any) -> dict[str, str]:
    """The files that a source names, by field."""
    named = {field: getattr(source, field, None) for field in ("path", "shots_path", "english_path")}
    return {field: path for field, path in named.items() if path}


def _columns(source: Any) -> tuple[str, ...]:
    return tuple(getattr(source, "columns", {}))


def write_recipe(recipe: Recipe, path: Path, *, opening: str) -> None:
    """Save as YAML; `opening` becomes the comment at the top, the command that uses it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = yaml.safe_dump(recipe.changes(), sort_keys=False, allow_unicode=True)
    path.write_text(f"# {opening}\n{body}", encoding="utf-8")


def _explain(error: ValidationError, where: str) -> RecipeError:
    errors = error.errors()
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])  # often a misspelt field
    location = [part for part in first["loc"] if part not in KINDS]  # the kind of a test set is no field
    field = ".".join(map(str, location))
    if first["type"] == "union_tag_invalid":
        kinds = ", ".join(KINDS)
        return RecipeError(f"{where}: {field}: no test set is of kind '{first['ctx']['tag']}'", f"use one of: {kinds}")
    if first["type"] == "extra_forbidden":
        key = str(location[-1])
        known = _known_keys(first["loc"])
        near = get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
        return RecipeError(f"{where}: unknown key `{field}`", hint)
    if first["type"] == "missing":
        return RecipeError(f"{where}: `{field}` is missing", f"add `{location[-1]}:`")
    message = first["msg"].removeprefix("Value error, ")
    seen = "" if not field else f" (got {first['input']!r})"
    return RecipeError(f"{where}: {field + ': ' if field else ''}{message}{seen}", "mend that field")


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    owners: dict[str, type[BaseModel]] = {"data": DataSource, "replay": DataSource, **KINDS}
    owner = next((owners[str(part)] for part in reversed(location[:-1]) if part in owners), Recipe)
    return sorted(owner.model_fields)
