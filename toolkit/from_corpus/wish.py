"""What a person asks for who brings a corpus; all else is decided from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Known:
    """A file in languages that the base knows, so that it does not forget them."""

    path: Path
    language: str = "eng"  # of its sentences, where they are no pairs; ISO 639-3


@dataclass(frozen=True)
class Wish:
    """A language to learn from files, and the few things that a person may want otherwise."""

    language: str  # ISO 639-3
    data: tuple[Path, ...]
    base: str = "pocket"  # or a folder, or a Hub id
    base_revision: str | None = None
    other: str | None = None  # the language on the other side of sentence pairs; default as the columns say
    columns: Mapping[str, str] = field(default_factory=dict)  # of each language; default found by their names
    header: tuple[str, ...] | None = None  # names of the columns, where the tsv and csv files begin without them
    test: Path | None = None  # a test set of one's own, instead of rows of the first file of pairs
    replay: tuple[Known, ...] = ()
    select: str | None = None
    steps: int | None = None  # optimiser steps
    on_bad_row: Literal["stop", "drop"] = "stop"  # a row that cannot be read
    force: bool = False  # go on with what the audit would stop, as far as it can be read
    licence: str | None = None  # of the data, as the card will print it
