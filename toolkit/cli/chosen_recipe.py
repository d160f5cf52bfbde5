"""The recipe that a command was given, by name or file, with what its options change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.errors import RecipeError

if TYPE_CHECKING:
    from toolkit.recipe import Recipe

SelectOption = Annotated[
    str | None,
    typer.Option("--select", help="Selection instead of the recipe's, e.g. front:25%; see `cogsym select --help`."),
]
BaseOption = Annotated[
    str | None, typer.Option("--base", help="Base instead of the recipe's: pocket, a folder, or a Hub id.")
]
MethodOption = Annotated[
    str | None,
    typer.Option("--method", help="weights (of the selection themselves), or lora (adapters beside them)."),
]
OrderOption = Annotated[
    str | None,
    typer.Option("--order", help="together, or one end after the other: front_then_rear, rear_then_front."),
]
FrozenOption = Annotated[
    str | None, typer.Option("--frozen", help="Layers that do not train: 16bit, or 4bit to save memory.")
]


def read_chosen_recipe(recipe: str | None, changes: dict[str, Any]) -> Recipe:
    """The recipe of this name or file, with what the options change."""
    from toolkit.recipe import make_recipe, read_recipe
    from toolkit.recipes import FOLDER, find_recipe

    if recipe is None:
        raise RecipeError(
            "which recipe?", "add --recipe FILE, or --resume RUN to continue one; `cogsym recipes` lists some"
        )
    path = find_recipe(recipe)
    # A recipe that comes with the toolkit has no data beside it: its files are looked for here.
    chosen = read_recipe(path, Path.cwd() if path.parent == FOLDER else None)
    changes = {key: value for key, value in changes.items() if value is not None}
    return make_recipe(chosen.model_dump(exclude_unset=True) | changes, where="the options") if changes else chosen
