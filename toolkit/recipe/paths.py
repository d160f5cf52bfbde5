"""The files that a recipe names: found beside it, listed, and left out of what is published."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

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
    """Every file that the recipe names, once each; data sets on the Hub are none."""
    sources = (*recipe.data, *recipe.replay, *recipe.evaluation)
    return tuple(dict.fromkeys(Path(path) for source in sources for path in _paths(source).values()))


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
