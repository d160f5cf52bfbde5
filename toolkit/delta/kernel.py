"""Which implementation of the hot loops is in use: the compiled one where it was built, else NumPy."""

from __future__ import annotations

from toolkit.delta.kernel_numpy import join, split

__all__ = ["join", "name", "split"]


def name() -> str:
    """`compiled` or `numpy`."""
    return "numpy"
