"""Which column is which language, as an option says it."""

from __future__ import annotations

from toolkit.errors import CorpusError
from toolkit.languages import own_code


def read_header(text: str | None) -> tuple[str, ...] | None:
    """`ban,eng` as names of columns; None where nothing was said."""
    return None if text is None else tuple(name.strip() for name in text.split(","))


def read_columns(text: str | None) -> dict[str, str]:
    """`ban=Balinese,eng=English` as a mapping from code to column; empty where nothing was said.

    Raises:
        CorpusError: naming the part that is none.
    """
    columns: dict[str, str] = {}
    for part in (text or "").split(","):
        code, equals, column = (piece.strip() for piece in part.partition("="))
        if equals and code and column:
            columns[own_code(code)] = column
        elif part.strip():
            raise CorpusError(
                f"--columns: '{part.strip()}' names no column",
                "write CODE=COLUMN, with a comma between: ban=bali,eng=english",
            )
    return columns
