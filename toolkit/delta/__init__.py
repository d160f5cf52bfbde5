"""Deltas: what fine-tuning changed, exact to the bit, small, checked at every step.

    extract    base + trained -> delta        merge      base + delta -> checkpoint
    verify     is it sound, is this its base  inspect    what it changes and costs
    load_delta tensor by tensor, in Python    LanguageSwitcher   many languages over one base in memory

FORMAT.md in this folder describes the file. Only LanguageSwitcher needs torch, and imports it when used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.delta.checkpoint import base_fingerprint, read_base_info
from toolkit.delta.delta import Delta, load_delta
from toolkit.delta.extraction import extract
from toolkit.delta.inspection import inspect
from toolkit.delta.merging import MergeReport, merge
from toolkit.delta.verification import VerifyReport, verify

if TYPE_CHECKING:
    from toolkit.delta.switching import LanguageSwitcher

__all__ = [
    "Delta",
    "LanguageSwitcher",
    "MergeReport",
    "VerifyReport",
    "base_fingerprint",
    "extract",
    "inspect",
    "load_delta",
    "merge",
    "read_base_info",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "LanguageSwitcher":
        from toolkit.delta.switching import LanguageSwitcher

        return LanguageSwitcher
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
