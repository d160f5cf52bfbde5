"""The files that a recipe names: found beside it, listed, and left out of what is published."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
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


def portable_files(recipe: Recipe) -> dict[str, Path]:
    """Every file that the recipe needs, by the name under which `portable` looks for it beside the recipe."""
    files = {name: Path(path) for path, name in _portable_names(recipe).items()}
    return files | {path.name: path for path in own_languages(recipe)}


def own_languages(recipe: Recipe) -> tuple[Path, ...]:
    """The files of the languages in the recipe that do not come with the toolkit."""
    sources = (*recipe.data, *recipe.replay, *recipe.evaluation)
    directions = (direction for source in sources for direction in getattr(source, "directions", ()))
    codes = {recipe.language, *(code for direction in directions for code in direction.split(">"))}
    codes |= {code for source in sources for code in (getattr(source, "language", None), *_columns(source)) if code}
    return tuple(path for code in sorted(codes) if (path := own_file(code)) is not None)


def portable(recipe: Recipe) -> Recipe:
    """The recipe as it may be published: file and folder names instead of this machine's paths.

    No two files get the same name, so that all of them can lie beside the recipe.
    """
    names = _portable_names(recipe)

    def named(source: Any) -> Any:
        return source.model_copy(update={field: names[path] for field, path in _paths(source).items()})

    def test(source: Any) -> Any:
        made = named(source)
        # Scores stay under the name that they were recorded by, whatever the file is called now.
        return made if made.dataset == source.dataset else made.model_copy(update={"name": source.dataset})

    return recipe.model_copy(
        update={
            "base": Path(recipe.base).name if Path(recipe.base).is_absolute() else recipe.base,
            "data": tuple(map(named, recipe.data)),
            "replay": tuple(map(named, recipe.replay)),
            "evaluation": tuple(map(test, recipe.evaluation)),
        }
    )


def _portable_names(recipe: Recipe) -> dict[str, str]:
    """A file name for each path of a recipe. Of several `train.tsv`, the one that lies deepest is called by its folder.

    Folders are named below another such file alone: those above may say who a person is.
    """
    sources = (*recipe.data, *recipe.replay, *recipe.evaluation)
    paths = dict.fromkeys(path for source in sources for path in _paths(source).values())
    names: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: len(Path(path).parts)):
        plain, taken = Path(path), {name.casefold(): Path(holder) for holder, name in names.items()}
        holder, name = taken.get(plain.name.casefold()), plain.name
        if holder is not None and plain.parent.is_relative_to(holder.parent):
            name = "-".join((*plain.parent.relative_to(holder.parent).parts, plain.name))
        beside = (f"{plain.stem}-{number}{plain.suffix}" for number in count(2))
        while name.casefold() in taken:
            name = next(beside)
        names[path] = name
    return names


def _paths(source: Any) -> dict[str, str]:
    """The files that a source names, by field."""
    named = {field: getattr(source, field, None) for field in ("path", "shots_path", "english_path")}
    return {field: path for field, path in named.items() if path}


def _columns(source: Any) -> tuple[str, ...]:
    return tuple(getattr(source, "columns", {}))
