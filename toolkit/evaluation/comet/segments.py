"""Reads segments to score from a file of samples, as an evaluation leaves them."""

from __future__ import annotations

import json
from pathlib import Path

from toolkit.errors import EvaluationError

_FIELDS = ("source", "hypothesis", "reference")


def read_segments(path: Path) -> list[tuple[str, str, str]]:
    """Source, hypothesis and reference of each line.

    Raises:
        EvaluationError: if the file cannot be read, is empty, or a line lacks one of them.
    """
    segments = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                segments.append(_segment(line, f"{path}, line {number}"))
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(
            f"{path} cannot be read: {error}", "give a file of samples, one JSON object per line"
        ) from error
    if not segments:
        raise EvaluationError(f"{path} is empty", "give a file of samples, one JSON object per line")
    return segments


def _segment(line: str, place: str) -> tuple[str, str, str]:
    try:
        row = json.loads(line)
        source, hypothesis, reference = (row[name] for name in _FIELDS)
    except (ValueError, TypeError, KeyError):
        source = hypothesis = reference = None
    if not (isinstance(source, str) and isinstance(hypothesis, str) and isinstance(reference, str)):
        raise EvaluationError(f"{place} is not a sample", f"each line is a JSON object with {', '.join(_FIELDS)}")
    return source, hypothesis, reference
