"""Giving back the memory of what is no longer needed: a Trainer and its model refer to each other in circles."""

from __future__ import annotations

import gc

import torch


def free_memory() -> None:
    """Collect what nothing refers to any more, and give the card back what PyTorch has cached of it."""
    gc.collect()
    torch.cuda.empty_cache()  # does nothing where no card is in use


def count_peak_from_here() -> None:
    """Let the peak of the card's memory be the peak from now on, not of what this process did before."""
    free_memory()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
