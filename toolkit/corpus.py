"""Sentence pairs and instructions: read from files, cleaned, and fingerprinted."""

from __future__ import annotations

import hashlib
import json
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import CorpusError

PARALLEL_SUFFIXES = (".tsv", ".csv", ".jsonl", ".json")
INSTRUCTION_SUFFIXES = (".json", ".jsonl")


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
            digest.update(json.dumps([row[key] for key in self.keys], ensure_ascii=False).encode() + b"\n")
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
    columns = {language: (columns or {}).get(language, language) for language in languages}
    if len(set(columns.values())) < 2:
        raise CorpusError(
            f"{path.name}: one column, '{next(iter(columns.values()), '')}', cannot hold a translation",
            "name two languages, each with a column of its own",
        )
    table = _read_table(path, PARALLEL_SUFFIXES)
    _require_columns(path, table, list(columns.values()))

    def clean_row(row: Mapping[str, Any]) -> tuple[dict[str, str], str | None]:
        texts = {language: clean(row[column]) for language, column in columns.items()}
        if not all(texts.values()):
            return texts, "empty side"
        if len(set(texts.values())) < len(texts):
            return texts, "same text in two languages"
        return texts, None

    return _filter(path, tuple(languages), table, clean_row)


def read_instructions(path: Path) -> Rows:
    """Instructions with answers in the Alpaca form: `instruction`, `input` (may be empty), `output`.

    Raises:
        CorpusError: if the file is missing, unreadable, lacks a field, or no row is left.
    """
    table = _read_table(path, INSTRUCTION_SUFFIXES)
    _require_columns(path, table, ["instruction", "output"])

    def clean_row(row: Mapping[str, Any]) -> tuple[dict[str, str], str | None]:
        texts = {
            "instruction": compose(row["instruction"]),
            "input": compose(row.get("input")),
            "output": compose(row["output"]),
        }
        return texts, None if texts["instruction"] and texts["output"] else "empty instruction or output"

    return _filter(path, ("instruction", "input", "output"), table, clean_row)


def column_names(path: Path) -> tuple[str, ...]:
    """The columns of a table, or the fields of its first row.

    Raises:
        CorpusError: if the file is missing or unreadable.
    """
    return tuple(map(str, _read_table(path, PARALLEL_SUFFIXES).column_names))


def clean(text: Any) -> str:
    """One line of text: composed (NFC), white space folded, ends trimmed."""
    return " ".join(_text(text).split())


def compose(text: Any) -> str:
    """Text of several lines: composed (NFC), ends trimmed, line breaks kept."""
    return _text(text).replace("\r\n", "\n").strip()


def _text(value: Any) -> str:
    """A cell as composed text; the reader turns a column of digits into numbers, which are text here all the same."""
    return "" if value is None else unicodedata.normalize("NFC", str(value))


def comparable(text: str) -> str:
    """The form in which sentences are compared between training and test sets: case and end punctuation aside."""
    return text.casefold().strip(" .!?…\"'")


def _filter(
    path: Path,
    keys: tuple[str, ...],
    table: Iterable[Mapping[str, Any]],
    clean_row: Callable[[Mapping[str, Any]], tuple[dict[str, str], str | None]],
) -> Rows:
    kept: list[dict[str, str]] = []
    dropped: dict[str, int] = {}
    seen: set[tuple[str, ...]] = set()
    for row in table:
        texts, fault = clean_row(row)
        identity = tuple(texts[key] for key in keys)
        if fault is None and identity in seen:
            fault = "repeated row"
        if fault is None:
            seen.add(identity)
            kept.append(texts)
        else:
            dropped[fault] = dropped.get(fault, 0) + 1
    if not kept:
        reasons = ", ".join(f"{count} x {fault}" for fault, count in dropped.items()) or "the file has no rows"
        raise CorpusError(f"{path.name}: nothing left after cleaning ({reasons})", "check the file and its columns")
    return Rows(path.name, keys, tuple(kept), dropped)


def _read_table(path: Path, suffixes: tuple[str, ...]) -> Any:
    """The file's rows as a `datasets.Dataset`."""
    if path.suffix not in suffixes:
        raise CorpusError(f"{path.name}: '{path.suffix}' files are not read here", f"use {', '.join(suffixes)}")
    _require_utf8(path)
    from datasets import Dataset
    from datasets.exceptions import DatasetGenerationError

    options: dict[str, Any] = {"keep_in_memory": True}
    # Text is text: "null" and "NA" are words, and a tsv has no quoting.
    if path.suffix == ".tsv":
        options |= {"sep": "\t", "quoting": 3, "keep_default_na": False}
    elif path.suffix == ".csv":
        options |= {"keep_default_na": False}
    reader = Dataset.from_csv if path.suffix in (".tsv", ".csv") else Dataset.from_json
    try:
        with _quiet_datasets(), tempfile.TemporaryDirectory(prefix="cogsym-corpus-") as cache:
            return reader(str(path), cache_dir=cache, **options)
    except (DatasetGenerationError, ValueError, OSError) as error:
        cause = str(error.__cause__ or error).strip().splitlines()[0]
        raise CorpusError(f"{path.name} is not a readable {path.suffix[1:]} file: {cause}", "mend that line") from error


@contextmanager
def _quiet_datasets() -> Iterator[None]:
    """Silence the library's bar and log while it reads: what goes wrong is reported as our own error."""
    from datasets.utils import logging

    had_bar, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bar:
            logging.enable_progress_bar()


def _require_utf8(path: Path) -> None:
    number, filled = 0, 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                line.decode("utf-8")
                filled += bool(line.strip())
                if b"\x00" in line:
                    raise CorpusError(f"{path.name}, line {number}: holds a NUL byte", "save the file as UTF-8 text")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path.name}, line {number}: byte {error.start + 1} is not UTF-8", "save the file as UTF-8 text"
        ) from error
    except FileNotFoundError:
        raise CorpusError(f"no file at {path}", "check the path; it is relative to the recipe's folder") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
    if filled == 0 or (filled == 1 and path.suffix in (".tsv", ".csv")):
        what = "holds a header line and no rows" if filled else "is empty"
        raise CorpusError(f"{path.name} {what}", "give a file with a header line and rows")


def _require_columns(path: Path, table: Any, wanted: Sequence[str]) -> None:
    have = list(table.column_names)
    missing = [column for column in wanted if column not in have]
    if missing:
        raise CorpusError(
            f"{path.name} has no column '{missing[0]}'; its columns are: {', '.join(map(str, have))}",
            "name the columns in the recipe: columns: {jav: javanese}",
        )
