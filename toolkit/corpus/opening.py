"""Opens a place that a recipe names: a file, or a data set on the Hub."""

from __future__ import annotations

from pathlib import Path

from toolkit.corpus.broken import OnBroken
from toolkit.corpus.hub_data import read_hub
from toolkit.corpus.table import TABLE_SUFFIXES, Table, read_file
from toolkit.places import Place


def open_place(place: Place, suffixes: tuple[str, ...] = TABLE_SUFFIXES, on_broken: OnBroken | None = None) -> Table:
    """The raw rows that lie there.

    Args:
        suffixes: kinds of files that may be given.
        on_broken: what is done with a row of a file that cannot be read; default stop there.

    Raises:
        CorpusError: if a file is missing or unreadable, or a data set has no such configuration or split.
        HubError: if a data set is not there, gated, or out of reach.
    """
    if place.hub is not None:
        return read_hub(place.hub, config=place.config, split=place.split, revision=place.revision)
    return read_file(Path(place.path or ""), suffixes, place.header, on_broken)
