"""What to change in a recipe that does not fit, the least harm first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.training.distributed import micro_batch_size, sharded
from toolkit.training.phases import has_two_ends


def remedies(recipe: Recipe, selection: SelectionInfo, needed: Callable[[Recipe], int], free: int) -> Iterator[str]:
    """Changes of the recipe that make it fit: each one alone, else as many as it takes, the cheapest first.

    Args:
        needed: how many bytes a recipe needs.
        free: bytes there are.
    """

    def wording(changes: dict[str, object], size: int) -> str:
        said = " and ".join(
            f"`{key}: {str(value).lower() if value is True else value}`" for key, value in changes.items()
        )
        return f"{said} ({size / 1e9:.1f} GB)"

    sizes = [(change, needed(recipe.model_copy(update=change))) for change in _changes(recipe, selection)]
    enough = [(change, size) for change, size in sizes if size <= free]
    for change, size in enough:
        yield wording(change, size)
    together: dict[str, object] = {}
    for change, _ in () if enough else sizes:
        together |= change
        size = needed(recipe.model_copy(update=together))
        if size <= free:
            yield wording(together, size)
            return


def _changes(recipe: Recipe, selection: SelectionInfo) -> list[dict[str, object]]:
    """Changes that save memory: those that leave the result as it is first, those that train less last."""
    changes: list[dict[str, object]] = []
    if not recipe.gradient_checkpointing:
        changes.append({"gradient_checkpointing": True})
    micro = micro_batch_size(recipe)
    if micro > 1:
        changes.append({"micro_batch_size": 1})
    if recipe.optimizer == "adamw" and not sharded():
        changes.append({"optimizer": "adamw_8bit"})
    if recipe.trained_dtype == "float32" and not sharded():
        changes.append({"optimizer": "adamw_8bit", "trained_dtype": "bfloat16"})
    if recipe.frozen == "16bit" and not sharded() and len(selection.layers) < selection.n_layers:
        changes.append({"frozen": "4bit"})
    if recipe.order == "together" and not sharded() and has_two_ends(selection):
        changes.append({"order": "front_then_rear"})
    if recipe.max_tokens > 256:
        changes.append({"max_tokens": 256})
    if len(selection.layers) > selection.n_layers / 4:
        changes.append({"select": "cogsym:25%"})
    elif selection.n_layers >= 16 and len(selection.layers) > selection.n_layers / 8:
        changes.append({"select": "cogsym:12.5%"})
    return changes
