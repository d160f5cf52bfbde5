"""Text to read a model on: sentences that translate each other, and word lists that tell languages apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.corpus import column_names, read_file, read_pairs
from toolkit.errors import CorpusError, LanguageError
from toolkit.languages import get_language

DEFAULT_LIMIT = 200


@dataclass(frozen=True)
class ParallelText:
    """Rows of sentences that translate each other."""

    name: str
    fingerprint: str
    rows: tuple[dict[str, str], ...]  # by language
    languages: tuple[str, ...]


def read_text(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    languages: Sequence[str] = (),
    limit: int | None = DEFAULT_LIMIT,
) -> ParallelText:
    """The sentences to read a model on.

    Args:
        columns: column of each language, where it is not named by its code.
        languages: codes wanted; default those of `columns`, or where that is empty every column that is one.
        limit: at most so many rows, the first ones.

    Raises:
        CorpusError: if the file is unusable, holds fewer than two languages, or fewer than two rows.
        LanguageError: if a language is unknown.
    """
    wanted = tuple(languages) or tuple(columns or ()) or tuple(name for name in column_names(path) if _is_code(name))
    for code in wanted:
        get_language(code)
    if len(wanted) < 2:
        raise CorpusError(
            f"{path.name} has {len(wanted)} column(s) of a known language, and two are compared at least",
            "name the columns: --columns eng=english,jav=javanese",
        )
    found = read_pairs(path, wanted, columns or {})
    rows = found.rows[:limit]
    if len(rows) < 2:
        raise CorpusError(f"{path.name} holds {len(rows)} row, and two are needed at least", "give more sentences")
    fingerprint = type(found)(found.name, found.keys, rows, {}).fingerprint
    return ParallelText(path.name, fingerprint, rows, wanted)


def read_words(path: Path, languages: Sequence[str]) -> dict[str, list[str]]:
    """Word lists by language, from a table with a column per language; columns may be of different lengths.

    Raises:
        CorpusError: if the file is unusable, or a list is missing or empty.
    """
    lists: dict[str, list[str]] = {language: [] for language in languages}
    for _, row in read_file(path).require(languages).rows:
        for language, words in lists.items():
            word = str(row.get(language) or "").strip()
            words += [word] if word else []
    empty = next((language for language, words in lists.items() if not words), None)
    if empty is not None:
        raise CorpusError(f"{path.name} lists no word in {empty}", "fill that column, or leave the language out")
    return lists


def _is_code(name: str) -> bool:
    try:
        return get_language(name).code == name
    except LanguageError:
        return False
