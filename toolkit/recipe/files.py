"""Recipes as YAML files: read, checked with errors that name the field, and written."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from toolkit.errors import RecipeError
from toolkit.languages import look_in
from toolkit.recipe.fields import DataSource, Recipe
from toolkit.recipe.paths import absolute, resolve_paths
from toolkit.test_sets.kinds import KINDS, TestSet


class _Tests(BaseModel):
    """Test sets without a recipe around them."""

    evaluation: tuple[TestSet, ...]


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
    return absolute(made.evaluation, folder)


def make_recipe(fields: dict[str, Any], where: str = "recipe") -> Recipe:
    """A checked recipe from plain fields.

    Raises:
        RecipeError: naming the field, the value seen, and the nearest real key for an unknown one.
    """
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        raise _explain(error, where) from error


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
