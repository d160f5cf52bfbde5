"""Questions about passages in the nested JSON of SQuAD, as rows with the columns that such data has on the Hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_BEGINNING = re.compile(r'\{\s*("version"\s*:\s*"[^"]*"\s*,\s*)?"data"\s*:\s*\[')


def is_squad(beginning: str) -> bool:
    """Whether a file that begins so is in the form of SQuAD."""
    return _BEGINNING.match(beginning) is not None and '"paragraphs"' in beginning


def squad_rows(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """`id`, `context`, `question` and `answers` (texts, several for one question) of each question."""
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                answers = {"text": [answer["text"] for answer in asked["answers"]]}
                yield {
                    "id": asked["id"],
                    "context": paragraph["context"].removeprefix("\ufeff"),
                    "question": asked["question"],
                    "answers": answers,
                }
