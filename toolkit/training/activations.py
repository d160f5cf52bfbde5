"""Activation checkpointing: the forward pass of a layer is run again for its gradient instead of being kept."""

from __future__ import annotations

from typing import Any


def checkpoint_activations(model: Any) -> None:
    """Keep activations between layers alone, from the lowest layer that trains on.

    Transformers would make the embeddings' output need a gradient, for an older kind of checkpointing; then every
    frozen layer below would be run again and differentiated for nothing.
    """
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})
    model.disable_input_require_grads()
