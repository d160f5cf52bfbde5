"""Which weights train: a named method with its budget, resolved to exact parameter names before training."""

from toolkit.selection.layout import ModelLayout, layout_of, read_layout
from toolkit.selection.resolve import METHODS, describe_layers, resolve_selection

__all__ = ["METHODS", "ModelLayout", "describe_layers", "layout_of", "read_layout", "resolve_selection"]
