"""A small file read whole: what test sets and few-shot examples are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit.corpus.cleaning import Form, instructions_form, pairs_form
from toolkit.corpus.shelf import as_line
from toolkit.corpus.table import INSTRUCTION_SUFFIXES, Table, read_file
from toolkit.errors import CorpusError


@dataclass(frozen=True)
class Rows:
    """What one file holds after cleaning: `keys` name the fields that every row has."""

    name: str  # file name or Hub id, never a path
    keys: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]  # a value is text, a number or a tuple of texts
    dropped: dict[str, int]  # rows left out, by reason
    places: dict[str, str] = field(default_factory=dict)  # of the first row left out for that reason, e.g. "line 12"

    @property
    def left_out(self) -> str | None:
        """What was left out and where to look, as a sentence; None if nothing was."""
        if not self.dropped:
            return None
        reasons = [f"{count:,} x {fault} (first: {self.places[fault]})" for fault, count in self.dropped.items()]
        return f"{self.name}: left out {', '.join(reasons)}"

    def first(self, limit: int | None) -> Rows:
        """The same with at most so many rows, the first ones."""
        return replace(self, rows=self.rows[:limit])

    @property
    def fingerprint(self) -> str:
        """sha256 over the rows in their order."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(as_line(row, self.keys))
        return digest.hexdigest()


def read_pairs(path: Path, languages: Sequence[str], columns: Mapping[str, str] | None = None) -> Rows:
    """Sentences of `languages` that translate each other, one row each, keyed by language code.

    White space is folded and Unicode composed (NFC). Left out, and counted: rows with an empty side, rows with the
    same text in two languages, and repeated rows.

    Args:
        path: tsv, csv, json or jsonl file in UTF-8.
        languages: ISO 639-3 codes wanted.
        columns: column name of each language; a language left out is looked for under its code.

    Raises:
        CorpusError: if the file is missing, unreadable, lacks a column, or no row is left.
    """
    form = pairs_form(path.name, languages, columns)
    return collect(read_file(path), form)


def read_instructions(path: Path) -> Rows:
    """Instructions with answers in the Alpaca form: `instruction`, `input` (may be empty), `output`.

    Raises:
        CorpusError: if the file is missing, unreadable, lacks a field, or no row is left.
    """
    return collect(read_file(path, INSTRUCTION_SUFFIXES), instructions_form())


def collect(table: Table, form: Form) -> Rows:
    """All rows of a table after cleaning; repeated ones are left out and counted.

    Raises:
        CorpusError: if the table lacks a column, a row cannot be used at all (the form raises ValueError), or no row
            is left.
    """
    kept: list[dict[str, Any]] = []
    dropped: dict[str, int] = {}
    places: dict[str, str] = {}
    seen: set[tuple[Any, ...]] = set()
    for number, row in table.require(form.columns).rows:
        try:
            texts, fault = form.clean_row(row)
        except ValueError as error:
            message, _, hint = str(error).partition("; ")
            raise CorpusError(f"{table.name}, {table.unit} {number}: {message}", hint or "mend that row") from error
        identity = tuple(texts[key] for key in form.keys)
        if fault is None and identity in seen:
            fault = "repeated row"
        if fault is None:
            seen.add(identity)
            kept.append(texts)
        else:
            dropped[fault] = dropped.get(fault, 0) + 1
            places.setdefault(fault, f"{table.unit} {number}")
    if not kept:
        raise nothing_left(table.name, dropped)
    return Rows(table.name, form.keys, tuple(kept), dropped, places)


def nothing_left(name: str, dropped: Mapping[str, int]) -> CorpusError:
    """The error for a source of which cleaning left no row."""
    reasons = ", ".join(f"{count} x {fault}" for fault, count in dropped.items()) or "it has no rows"
    return CorpusError(f"{name}: nothing left after cleaning ({reasons})", "check the file and its columns")
