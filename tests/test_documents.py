"""The documents that a person reads are whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RULE = re.compile(r"\|(?:\s*:?-+:?\s*\|)+")
SKIPPED = (".venv", "build", "node_modules", ".pytest_cache")


def documents() -> list[Path]:
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(path for path in found if not set(SKIPPED) & set(path.parts))


def cells(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line)) - 1


def uneven_rows(text: str) -> Iterator[str]:
    """The rows of tables that do not have as many cells as the line below the heading."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not RULE.fullmatch(line.strip()):
            continue
        below = iter(lines[number + 1 :])
        for row in (lines[number - 1], *_while_rows(below)):
            if cells(row) != cells(line):
                yield row


def _while_rows(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield line


@pytest.mark.parametrize("path", documents(), ids=str)
def test_every_row_of_a_table_has_the_cells_of_its_heading(path: Path) -> None:
    assert list(uneven_rows((ROOT / path).read_text(encoding="utf-8"))) == []


def test_a_row_that_lacks_a_mark_is_found() -> None:
    assert list(uneven_rows("| a | b |\n|---|--:|\n| 1 | 2 |\n| 3 4 |\n\n| no table |\n")) == ["| 3 4 |"]
