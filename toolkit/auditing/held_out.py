"""The sentences of test sets, which training data must not hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.auditing.columns import columns_by_name
from toolkit.auditing.known import Known
from toolkit.auditing.opening import open_tolerantly
from toolkit.corpus import SentenceIndex
from toolkit.places import Place
from toolkit.test_sets import TestSet, sentences


def held_out_sentences(
    tests: Sequence[Path | TestSet], languages: Sequence[Known], columns: Mapping[str, str]
) -> SentenceIndex:
    """The sentences of test sets, with their names.

    Args:
        tests: test sets, or files: their columns are named as those of the data, or by their languages; where none is,
            every cell of text counts.

    Raises:
        CorpusError, HubError: if it cannot be read.
    """
    found = SentenceIndex()
    for test in tests:
        if isinstance(test, Place):
            name, texts = test.dataset, iter(sentences(test))
        else:
            name, texts = test.name, _of_file(test, languages, columns)
        for text in texts:
            found.add(text, name)
    return found


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
