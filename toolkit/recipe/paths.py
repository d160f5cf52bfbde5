"""The files that a recipe names: found beside it, listed, and left out of what is published."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toolkit.languages.registry import own_file
from toolkit.recipe.fields import Recipe


def resolve_paths(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with relative data paths, and a base that is a folder, made absolute against `folder`."""
    update: dict[str, Any] = {
        "data": absolute(recipe.data, folder),
        "replay": absolute(recipe.replay, folder),
        "evaluation": absolute(recipe.evaluation, folder),
    }
    if (folder / recipe.base).is_dir():
        update["base"] = str((folder / recipe.base).resolve())
    return recipe.model_copy(update=update)


def absolute(places: Iterable[Any], folder: Path) -> tuple[Any, ...]:
    """Sources or test sets with their relative paths resolved against `folder`."""
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
