"""In which order the two ends of a selection train: together, or one after the other with half the memory.

The CogSym paper calls the sequential orders `beg_end` (front, then rear) and `end_beg`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.errors import SelectionError
from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout, describe_layers
from toolkit.training.trained import TrainedTensor


@dataclass(frozen=True)
class Phase:
    """What trains at the same time. Each phase is a whole run: all steps, with warm-up and schedule of its own."""

    name: str  # of its folder of checkpoints; empty where there is only one phase
    tensors: frozenset[str]  # names in the base


def phases_of(recipe: Recipe, selection: SelectionInfo, layout: ModelLayout) -> tuple[Phase, ...]:
    """The phases of a run, first to last.

    The front is the unbroken run of layers from the first one, with the embeddings; the rear is the unbroken run up to
    the last one, with final norm and LM head. Embeddings that are also the LM head train in both phases.

    Raises:
        SelectionError: if the recipe asks for one end after the other and the selection does not have two ends.
    """
    selected = frozenset(selection.parameters)
    if recipe.order == "together":
        return (Phase("", selected),)
    front_layers, rear_layers = _ends(recipe, selection)
    front = {layout.embeddings}.union(*(layout.layers[layer] for layer in front_layers))
    rear = {layout.head, *layout.final_norm}.union(*(layout.layers[layer] for layer in rear_layers))
    phases = (Phase("front", selected & front), Phase("rear", selected & rear))
    return phases if recipe.order == "front_then_rear" else phases[::-1]


def narrowed(selection: SelectionInfo, phase: Phase, layout: ModelLayout) -> SelectionInfo:
    """The part of a selection that trains in this phase."""
    names = tuple(name for name in selection.parameters if name in phase.tensors)
    layers = tuple(layer for layer in selection.layers if phase.tensors & set(layout.layers[layer]))
    neurons = selection.neurons
    if neurons is not None:
        neurons = {layer: neurons[layer] for layer in layers}
    return selection.model_copy(
        update={
            "parameters": names,
            "layers": layers,
            "neurons": neurons,
            "trained_weights": layout.count(names),
            "embeddings": layout.embeddings in names,
            "head": layout.head in names,
        }
    )


def enter(phase: Phase, trained: Sequence[TrainedTensor]) -> None:
    """Let what belongs to this phase train, and nothing else; gradients of an earlier phase are dropped."""
    for tensor in trained:
        for parameter in tensor.parameters:
            parameter.requires_grad_(tensor.name in phase.tensors)
            parameter.grad = None


def has_two_ends(selection: SelectionInfo) -> bool:
    """Whether the selection can train one end after the other: layers from the first one on, and up to the last."""
    front, rear = _split(selection)
    return bool(front and rear) and rear == list(range(rear[0], selection.n_layers))


def _split(selection: SelectionInfo) -> tuple[list[int], list[int]]:
    """The unbroken run of layers from the first one, and the others."""
    layers = sorted(selection.layers)
    front = [layer for place, layer in enumerate(layers) if layer == place]
    return front, layers[len(front) :]


def _ends(recipe: Recipe, selection: SelectionInfo) -> tuple[list[int], list[int]]:
    """The layers of either end."""
    if not has_two_ends(selection):
        raise SelectionError(
            f"`order: {recipe.order}` trains one end after the other, and {selection.method} trains the layers "
            f"{describe_layers(tuple(sorted(selection.layers)))} of {selection.n_layers}",
            "choose layers at both ends, e.g. --select cogsym:25%, or `order: together`",
        )
    return _split(selection)
