"""The recipes that come with the toolkit, and the shapes of the bases they name."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import RecipeError

FOLDER = Path(__file__).parent


def shipped_recipes() -> dict[str, Path]:
    """Every recipe that comes with the toolkit, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def find_recipe(name_or_path: str) -> Path:
    """The recipe file meant by a path, or by the name of a recipe that comes with the toolkit.

    Raises:
        RecipeError: if there is neither.
    """
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    shipped = shipped_recipes()
    if name_or_path in shipped:
        return shipped[name_or_path]
    raise RecipeError(
        f"no recipe '{name_or_path}', neither a file nor one that comes with the toolkit",
        f"give a YAML file, or one of: {', '.join(shipped)}",
    )


def known_config(base_id: str) -> Path | None:
    """Folder with the `config.json` of a well-known base, so that a run can be planned before it is downloaded."""
    folder = FOLDER / "configs" / base_id.replace("/", "--")
    return folder if folder.is_dir() else None
