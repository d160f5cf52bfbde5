"""What a bare file holds, where nobody has said it: its kind, and the languages beside the one that is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolkit.auditing.columns import columns_by_name
from toolkit.auditing.known import known
from toolkit.auditing.opening import open_tolerantly
from toolkit.auditing.record import Kind


def guess_kind(path: Path, header: Sequence[str] | None = None) -> Kind:
    """Instructions by their fields, text by its one column, else sentence pairs.

    Raises:
        CorpusError: if the file is missing or of a kind that is not read.
    """
    if path.suffix.lower() == ".txt":
        return "text"
    columns = open_tolerantly(path, header, lambda row: None).columns
    if {"instruction", "output"} <= set(columns):
        return "instructions"
    return "text" if columns == ("text",) else "parallel"


def guess_others(path: Path, language: str, header: Sequence[str] | None = None) -> tuple[str, ...]:
    """Languages of the registry, other than this one, that columns are named by; English first.

    Raises:
        CorpusError: if the file is missing or of a kind that is not read.
    """
    opened = open_tolerantly(path, header, lambda row: None)
    found = columns_by_name(opened.columns, opened.first, [known(language)])
    return tuple(sorted(set(found) - {language}, key=lambda code: (code != "eng", code)))
