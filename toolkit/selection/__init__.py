"""Which weights train: a named method with its budget, resolved to exact parameter names before training."""

from toolkit.selection.evidence import Evidence
from toolkit.selection.layout import ModelLayout, layout_of, read_layout
from toolkit.selection.methods import METHODS, looks_at
from toolkit.selection.resolve import (
    describe_layers,
    describe_parameters,
    possible_selections,
    resolve_recipe,
    resolve_selection,
)

__all__ = [
    "METHODS",
    "Evidence",
    "ModelLayout",
    "describe_layers",
    "describe_parameters",
    "layout_of",
    "looks_at",
    "possible_selections",
    "read_layout",
    "resolve_recipe",
    "resolve_selection",
]
