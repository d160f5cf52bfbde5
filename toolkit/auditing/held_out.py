"""The sentences of test sets, which training data must not hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.auditing.columns import columns_by_name
from toolkit.auditing.known import Known
from toolkit.auditing.opening import open_tolerantly
from toolkit.corpus import clean, comparable
from toolkit.corpus.digests import Digests, digest
from toolkit.places import Place
from toolkit.sentences import split_text
from toolkit.test_sets import TestSet, sentences


def held_out_sentences(
    test: Path | TestSet, languages: Sequence[Known], columns: Mapping[str, str]
) -> tuple[str, Digests]:
    """Name and sentences of a test set, as digests of their comparable form.

    Args:
        test: a test set, or a file: its columns are named as those of the data, or by their languages; where none is,
            every cell of text counts.

    Raises:
        CorpusError, HubError: if it cannot be read.
    """
    found = Digests()
    if isinstance(test, Place):
        name, texts = test.dataset, iter(sentences(test))
    else:
        name, texts = test.name, _of_file(test, languages, columns)
    for text in texts:
        if wanted := comparable(clean(text)):
            found.add(digest(wanted))
    return name, found


def compared(texts: Iterable[str], *, plain: bool) -> Iterator[int]:
    """Digests of what one row is compared by: each cell and, in plain text, each line and sentence."""
    for text in texts:
        pieces: Iterable[str] = [text]
        if plain:
            lines = (line for line in text.splitlines() if line.strip())
            pieces = (*lines, *(piece.text for piece in split_text(text) if piece.is_sentence))
        for piece in pieces:
            if wanted := comparable(piece):
                yield digest(wanted)


def _of_file(path: Path, languages: Sequence[Known], columns: Mapping[str, str]) -> Iterator[str]:
    opened = open_tolerantly(path, None, lambda row: None)
    wanted_codes = {language.code for language in languages}
    by_name = columns_by_name(opened.columns, opened.first, languages)
    named = {code: column for code, column in by_name.items() if code in wanted_codes}
    named |= {code: column for code, column in columns.items() if column in opened.columns}
    wanted = tuple(named.values()) or opened.columns
    for _, row in opened.rows:
        yield from (_text(row.get(column)) for column in wanted)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
