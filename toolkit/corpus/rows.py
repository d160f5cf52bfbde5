"""A small file read whole: what test sets and few-shot examples are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.corpus.cleaning import Form, instructions_form, pairs_form
from toolkit.corpus.shelf import as_line
from toolkit.corpus.table import INSTRUCTION_SUFFIXES, Table, read_file
from toolkit.errors import CorpusError


@dataclass(frozen=True)
class Rows:
    """What one file holds after cleaning: `keys` name the fields that every row has."""

    name: str  # file name, never its path
    keys: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    dropped: dict[str, int]  # rows left out, by reason

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
    return _collect(read_file(path), form)


def read_instructions(path: Path) -> Rows:
    """Instructions with answers in the Alpaca form: `instruction`, `input` (may be empty), `output`.

    Raises:
        CorpusError: if the file is missing, unreadable, lacks a field, or no row is left.
    """
    return _collect(read_file(path, INSTRUCTION_SUFFIXES), instructions_form())


def _collect(table: Table, form: Form) -> Rows:
    kept: list[dict[str, str]] = []
    dropped: dict[str, int] = {}
    seen: set[tuple[str, ...]] = set()
    for _, row in table.require(form.columns).rows:
        texts, fault = form.clean_row(row)
        identity = tuple(texts[key] for key in form.keys)
        if fault is None and identity in seen:
            fault = "repeated row"
        if fault is None:
            seen.add(identity)
            kept.append(texts)
        else:
            dropped[fault] = dropped.get(fault, 0) + 1
    if not kept:
        raise nothing_left(table.name, dropped)
    return Rows(table.name, form.keys, tuple(kept), dropped)


def nothing_left(name: str, dropped: Mapping[str, int]) -> CorpusError:
    """The error for a source of which cleaning left no row."""
    reasons = ", ".join(f"{count} x {fault}" for fault, count in dropped.items()) or "it has no rows"
    return CorpusError(f"{name}: nothing left after cleaning ({reasons})", "check the file and its columns")
