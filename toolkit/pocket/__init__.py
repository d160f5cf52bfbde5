"""The embedded default: a pocket Llama and a pocket phrasebook, so that everything runs on a laptop."""

from __future__ import annotations

from pathlib import Path

from toolkit.pocket.phrasebook import SPLITS, sentences, write_corpus

__all__ = ["POCKET_ID", "SPLITS", "folder", "sentences", "write_corpus"]

POCKET_ID = "pocket"


def folder() -> Path:
    """Where the pocket base is installed: a transformers model folder."""
    return Path(__file__).parent / "base"
