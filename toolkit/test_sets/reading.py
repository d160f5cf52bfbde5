"""The rows of a test set, read and checked: what cannot be scored is an error that names file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from toolkit.corpus import Form, Rows, Table, clean, collect, comparable, compose, open_place, pairs_form, text_form
from toolkit.corpus.table import TABLE_SUFFIXES, TEXT_SUFFIXES
from toolkit.errors import CogsymError, CorpusError
from toolkit.languages import parse_direction
from toolkit.places import Place
from toolkit.sentences import split_text
from toolkit.test_sets.consistency import open_questions, questions_form
from toolkit.test_sets.joining import open_joined
from toolkit.test_sets.kinds import (
    ConsistencySet,
    MultipleChoiceSet,
    PerplexitySet,
    SentencePairs,
    SentimentSet,
    TestSet,
    WordsSet,
)
from toolkit.test_sets.options import read_options, right_option


def read_rows(test_set: TestSet, direction: str | None = None) -> Rows:
    """What is scored, cleaned, with the keys of its kind.

    translation, likelihood, words: the text under each language's code. sentiment: `text`, `label`. multiple_choice:
    `passage` (may be empty), `question`, `options` (a tuple), `answer` (an index into it). consistency: `question`,
    `passage`, `options`, the same with `english_` in front (empty where there are none), `answers` (a tuple).
    perplexity: `text`.

    Args:
        direction: of those with directions, e.g. `eng>jav`.

    Raises:
        CorpusError, HubError: if the place cannot be read, lacks a column, or has a row that cannot be scored.
    """
    return _read(test_set, test_set, direction)


def read_examples(test_set: TestSet, direction: str | None = None) -> Rows | None:
    """The rows that worked examples are drawn from; None where the test set names no place for them."""
    place = test_set.examples
    return None if place is None else _read(test_set, place, direction)


def sentences(test_set: TestSet) -> Iterator[str]:
    """Every text of a test set that must not be trained on; short answers and options are none."""
    if isinstance(test_set, SentencePairs | WordsSet):
        languages = sorted({code for text in test_set.directions for code in text.split(">")})
        rows = collect(_open(test_set, test_set, languages), pairs_form(test_set.where, languages, test_set.columns))
        yield from (text for row in rows.rows for text in row.values())
        return
    if isinstance(test_set, ConsistencySet):
        rows = read_rows(test_set)
        yield from (row[key] for row in rows.rows for key in ("question", "english_question") if row[key])
        return
    key = "question" if isinstance(test_set, MultipleChoiceSet) else "text"
    for row in read_rows(test_set).rows:
        yield row[key]
        if isinstance(test_set, PerplexitySet):
            yield from (piece.text for piece in split_text(row[key]) if piece.is_sentence)


def digest_of_sentences(sentences: Iterable[str]) -> str:
    """sha256 that tells whether a test set holds what it held before, in whatever order."""
    return hashlib.sha256("\n".join(sorted(set(map(comparable, sentences)))).encode()).hexdigest()


def _read(test_set: TestSet, place: Place, direction: str | None) -> Rows:
    try:
        table = _open(test_set, place, (direction or "").split(">"))
        return collect(table, _form(test_set, place, direction))
    except CogsymError as error:
        raise type(error)(f"test set for {direction or test_set.dataset}: {error.message}", error.hint) from error


def _open(test_set: TestSet, place: Place, languages: Sequence[str]) -> Table:
    if isinstance(test_set, SentencePairs) and test_set.configs and place.hub is not None:
        missing = [language for language in languages if language not in test_set.configs]
        if missing:
            raise CorpusError(f"{place.where}: no configuration is named for {missing[0]}", "add it under `configs:`")
        configs = {code: config for code, config in test_set.configs.items() if code in languages}
        return open_joined(place, configs, key=test_set.joined_by, text=test_set.text)
    if isinstance(test_set, ConsistencySet):
        return open_questions(test_set)
    return open_place(place, TEXT_SUFFIXES if isinstance(test_set, PerplexitySet) else TABLE_SUFFIXES)


def _form(test_set: TestSet, place: Place, direction: str | None) -> Form:
    if isinstance(test_set, SentencePairs | WordsSet):
        parsed = parse_direction(direction or "")
        both, same = (parsed.source, parsed.target), isinstance(test_set, WordsSet)
        return pairs_form(place.where, both, test_set.columns, may_be_same=same)
    if isinstance(test_set, SentimentSet):
        return _labelled_form(test_set)
    if isinstance(test_set, MultipleChoiceSet):
        return _options_form(test_set)
    if isinstance(test_set, ConsistencySet):
        return questions_form(test_set)
    return text_form(test_set.text)


def _labelled_form(test_set: SentimentSet) -> Form:
    def clean_row(row: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
        text, label = clean(row.get(test_set.text)), clean(row.get(test_set.label))
        if label not in test_set.labels:
            known = ", ".join(test_set.labels)
            raise ValueError(f"label '{label}' is none of {known}; mend the row, or name the label under `labels:`")
        return {"text": text, "label": label}, None if text else "empty text"

    return Form((test_set.text, test_set.label), ("text", "label"), clean_row)


def _options_form(test_set: MultipleChoiceSet) -> Form:
    columns = (test_set.options,) if isinstance(test_set.options, str) else test_set.options
    passage = () if test_set.passage is None else (test_set.passage,)

    def clean_row(row: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
        options = read_options(
            row.get(test_set.options) if isinstance(test_set.options, str) else [*map(row.get, columns)]
        )
        values = {
            "passage": compose(row.get(test_set.passage)) if test_set.passage else "",
            "question": compose(row.get(test_set.question)),
            "options": options,
            "answer": right_option(clean(row.get(test_set.answer)), len(options), test_set.first),
        }
        return values, None if values["question"] else "empty question"

    return Form((test_set.question, *columns, test_set.answer, *passage), _OPTION_KEYS, clean_row)


_OPTION_KEYS = ("passage", "question", "options", "answer")
