"""Questions that a language and English have in common: two places joined, or one table, as clean rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.corpus import Form, Table, clean, compose, open_place
from toolkit.errors import CorpusError
from toolkit.test_sets.kinds import ConsistencySet
from toolkit.test_sets.options import letter, read_options, right_option

_ENGLISH = "english "  # in front of the columns that came from the other place
_KEYS = ("question", "passage", "options", "english_question", "english_passage", "english_options", "answers")


def open_questions(test_set: ConsistencySet) -> Table:
    """The raw rows; columns from the place in English have `english ` in front of their names.

    Raises:
        CorpusError: if the English place lacks a column, or holds another number of rows and nothing joins them.
        HubError: if a data set is not there, gated, or out of reach.
    """
    own = open_place(test_set)
    if test_set.english_place is None:
        return own
    key = () if test_set.key is None else (test_set.key,)
    columns = (*_flat(_columns(test_set)), *key)
    own = own.require(columns)
    english = open_place(test_set.english_place).require(columns)
    joined = _by_key(own, english, test_set.key) if test_set.key else _by_order(own, english)
    return Table(own.name, joined, own.unit)


def questions_form(test_set: ConsistencySet) -> Form:
    """What a row must hold; both languages must agree on the answer where that is a number or a letter."""
    own = _columns(test_set)
    english = _english_columns(test_set)

    def clean_row(row: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
        values = {**_sides(test_set, row, own, ""), **_sides(test_set, row, english, "english_")}
        accepted = _answers(test_set, row, own, values["options"])
        if "answer" in english and values["english_question"]:
            accepted_in_english = _answers(test_set, row, english, values["english_options"])
            if test_set.answers_are != "text" and accepted_in_english != accepted:
                raise ValueError(
                    f"the answer is '{accepted[0]}', but '{accepted_in_english[0]}' in English: not the same question; "
                    "mend the row, or name a column that joins the two with `key:`"
                )
            accepted += tuple(answer for answer in accepted_in_english if answer not in accepted)
        values["answers"] = accepted
        if not values["question"] or not accepted:
            return values, "empty question or answer"
        return values, "no such question in English" if english and not values["english_question"] else None

    # Columns from the other place were required of it already; rows that it lacks have none of them.
    elsewhere = test_set.english_place is not None
    required = [*_flat(own), *([] if elsewhere else _flat(english))]
    return Form(tuple(required), _KEYS, clean_row)


def _by_order(own: Table, english: Table) -> Iterator[tuple[int, dict[str, Any]]]:
    others = iter(english.rows)
    for number, row in own.rows:
        try:
            _, other = next(others)
        except StopIteration:
            raise _uneven(own, english) from None
        yield number, row | _renamed(other)
    if next(others, None) is not None:
        raise _uneven(own, english)


def _uneven(own: Table, english: Table) -> CorpusError:
    return CorpusError(
        f"{own.name} and {english.name} have different numbers of rows, so their order does not join them",
        "name a column that both share with `key:`",
    )


def _by_key(own: Table, english: Table, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    others = {clean(row.get(key)): row for _, row in english.rows}
    others.pop("", None)  # what has no key belongs to nothing
    for number, row in own.rows:
        yield number, row | _renamed(others.get(clean(row.get(key)), {}))


def _renamed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {_ENGLISH + column: value for column, value in row.items()}


def _columns(test_set: ConsistencySet) -> dict[str, Any]:
    """The columns of the language itself, by what they hold; of options a list where each has its own."""
    columns: dict[str, Any] = {"question": test_set.question, "answer": test_set.answer}
    if test_set.passage:
        columns["passage"] = test_set.passage
    if test_set.options:
        columns["options"] = test_set.options
    return columns


def _english_columns(test_set: ConsistencySet) -> dict[str, Any]:
    if test_set.english_place is None:
        return dict(test_set.english)
    return {
        what: _ENGLISH + column if isinstance(column, str) else tuple(_ENGLISH + each for each in column)
        for what, column in _columns(test_set).items()
    }


def _flat(columns: Mapping[str, Any]) -> list[str]:
    return [name for column in columns.values() for name in ([column] if isinstance(column, str) else column)]


def _sides(test_set: ConsistencySet, row: Mapping[str, Any], columns: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Question, passage and options in one of the languages; empty where there are none."""
    values: dict[str, Any] = {
        prefix + what: compose(row.get(columns[what])) if what in columns else "" for what in ("question", "passage")
    }
    options: tuple[str, ...] = ()
    if "options" in columns and values[prefix + "question"]:
        named = columns["options"]
        options = read_options(row.get(named) if isinstance(named, str) else [row.get(column) for column in named])
    return values | {prefix + "options": options}


def _answers(
    test_set: ConsistencySet, row: Mapping[str, Any], columns: Mapping[str, Any], options: tuple[str, ...]
) -> tuple[str, ...]:
    """What is right: a number, a letter, or every accepted text."""
    cell = row.get(columns["answer"])
    if test_set.answers_are == "text":
        texts = cell.get("text") if isinstance(cell, Mapping) else cell
        many = texts if isinstance(texts, list | tuple) else [texts]
        return tuple(dict.fromkeys(filter(None, map(clean, many))))
    answer = clean(cell)
    if test_set.answers_are == "letter":
        return (letter(right_option(answer, len(options), test_set.first)),) if options else ()
    number = answer.replace(",", "")
    try:
        float(number)
    except ValueError:
        raise ValueError(f"answer '{answer}' is not a number; write it with a decimal point") from None
    return (number,)
