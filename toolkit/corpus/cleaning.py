"""What each kind of data must hold, and how one raw row becomes clean text or a reason to leave it out."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.errors import CorpusError


@dataclass(frozen=True)
class Form:
    """One kind of row: the columns it is made from, the keys it has after cleaning, and how to clean it."""

    columns: tuple[str, ...]  # a source without these cannot be used
    keys: tuple[str, ...]
    clean_row: Callable[[Mapping[str, Any]], tuple[dict[str, Any], str | None]]  # values, and why to leave them out


def pairs_form(
    name: str, languages: Sequence[str], columns: Mapping[str, str] | None = None, *, may_be_same: bool = False
) -> Form:
    """Sentences of `languages` that translate each other, keyed by language code.

    Args:
        name: of the source, for messages.
        languages: ISO 639-3 codes wanted.
        columns: column name of each language; a language left out is looked for under its code.
        may_be_same: keep rows with the same text in two languages, which words often have and sentences seldom.

    Raises:
        CorpusError: if the languages share one column.
    """
    named = {language: (columns or {}).get(language, language) for language in languages}
    if len(set(named.values())) < 2:
        raise CorpusError(
            f"{name}: one column, '{next(iter(named.values()), '')}', cannot hold a translation",
            "name two languages, each with a column of its own",
        )

    def clean_row(row: Mapping[str, Any]) -> tuple[dict[str, str], str | None]:
        texts = {language: clean(row.get(column)) for language, column in named.items()}
        if not all(texts.values()):
            return texts, "empty side"
        if not may_be_same and len(set(texts.values())) < len(texts):
            return texts, "same text in two languages"
        return texts, None

    return Form(tuple(named.values()), tuple(languages), clean_row)


def instructions_form() -> Form:
    """Instructions with answers in the Alpaca form: `instruction`, `input` (may be empty), `output`."""

    def clean_row(row: Mapping[str, Any]) -> tuple[dict[str, str], str | None]:
        texts = {key: compose(row.get(key)) for key in ("instruction", "input", "output")}
        return texts, None if texts["instruction"] and texts["output"] else "empty instruction or output"

    return Form(("instruction", "output"), ("instruction", "input", "output"), clean_row)


def text_form(column: str = "text") -> Form:
    """Plain text, a paragraph or a document per row, under the key `text`."""

    def clean_row(row: Mapping[str, Any]) -> tuple[dict[str, str], str | None]:
        text = compose(row.get(column))
        return {"text": text}, None if text else "empty text"

    return Form((column,), ("text",), clean_row)


def clean(text: Any) -> str:
    """One line of text: composed (NFC), white space folded, ends trimmed."""
    return " ".join(_text(text).split())


def compose(text: Any) -> str:
    """Text of several lines: composed (NFC), ends trimmed, line breaks kept."""
    return _text(text).replace("\r\n", "\n").strip()


def _text(value: Any) -> str:
    """A cell as composed text; JSON has numbers, which are text here all the same."""
    return "" if value is None else unicodedata.normalize("NFC", str(value))


def comparable(text: str) -> str:
    """The form in which sentences are compared between training and test sets: case and end punctuation aside."""
    return text.casefold().strip(" .!?…\"'")
