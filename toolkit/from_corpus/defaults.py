"""The numbers of a recipe that a person need not choose: those of the shipped recipe for a base of that size."""

from __future__ import annotations

from typing import Any

from toolkit.recipe import read_recipe
from toolkit.recipes import find_recipe

SMALL = 100_000_000  # weights; below, a base is trained and asked as the pocket is
FEW_ROWS = 10_000
EPOCHS_OF_FEW = 3  # our choice: one pass over few sentences teaches little. Not measured on Llama-2.
_OF_THE_DATA = {"language", "base", "base_revision", "data", "replay", "evaluation"}
_FOR_A_CARD = {"optimizer", "trained_dtype"}  # without a graphics card the recipe's own defaults serve better


def usual_fields(base: str, base_weights: int, rows: int, *, on_gpu: bool) -> dict[str, Any]:
    """Fields of a recipe for a base with so many weights, and so many rows to learn from."""
    small = base_weights < SMALL
    shipped = read_recipe(find_recipe("pocket-jav" if small else "llama-2-7b-jav"))
    fields = {
        field: value for field, value in shipped.model_dump(exclude_unset=True).items() if field not in _OF_THE_DATA
    }
    if base == shipped.base and shipped.base_revision:
        fields["base_revision"] = shipped.base_revision
    if not small and rows < FEW_ROWS:
        fields["epochs"] = EPOCHS_OF_FEW
    if not small and not on_gpu:
        fields = {field: value for field, value in fields.items() if field not in _FOR_A_CARD}
    return fields


def answer_tokens(base_weights: int) -> int:
    """The longest answer to expect to a sentence of a test set."""
    return 48 if base_weights < SMALL else 128


def wants_examples(base_weights: int) -> bool:
    """Whether a base follows worked examples in a prompt; small ones were never shown any."""
    return base_weights >= SMALL
