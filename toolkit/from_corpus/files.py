"""What a person's file holds: sentence pairs, instructions or text, and which column is which language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from toolkit.auditing.columns import columns_by_name
from toolkit.auditing.known import known
from toolkit.corpus import read_file
from toolkit.corpus.table import flat
from toolkit.errors import CorpusError
from toolkit.languages import get_language

_FIRST_CHOICE = "eng"  # of several languages that could be the other side
_LOOKED_AT = 100  # rows: fields that are empty in the first may be in the next


@dataclass(frozen=True)
class Corpus:
    """A file and how to read it."""

    path: Path
    kind: Literal["parallel", "instructions", "text"]
    columns: dict[str, str] = field(default_factory=dict)  # of each language; of text, the one with the text
    header: tuple[str, ...] | None = None  # names of its columns, where it begins without them

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self.columns)


def look_into(
    path: Path,
    language: str | None,
    *,
    other: str | None = None,
    columns: Mapping[str, str] | None = None,
    header: Sequence[str] | None = None,
) -> Corpus:
    """What this file holds, as its ending and the names of its columns say.

    Args:
        language: the one to learn, which must be there; None for a file of languages that the base knows.
        other: the language on the other side of pairs; default the only one there, or English.
        columns: column of each language; one that is left out is looked for under its codes and names.
        header: names of the columns, where a tsv or csv file begins without them.

    Raises:
        CorpusError: if it cannot be read, or does not show what it holds.
        LanguageError: if a code is unknown.
    """
    if path.suffix.lower() == ".txt":
        return Corpus(path, "text")
    rows = [flat(row) for _, row in islice(read_file(path, header=header, on_broken=lambda row: None).rows, _LOOKED_AT)]
    names = tuple(dict.fromkeys(str(column) for row in rows for column in row))
    if {"instruction", "output"} <= set(names):
        return Corpus(path, "instructions")
    found = _tabular(path, language, other, dict(columns or {}), rows, names)
    return replace(found, header=None if header is None else tuple(header))


def _tabular(
    path: Path,
    language: str | None,
    other: str | None,
    given: dict[str, str],
    rows: Sequence[Mapping[str, Any]],
    names: tuple[str, ...],
) -> Corpus:
    """Text or pairs in columns that languages are found for."""
    free = [name for name in names if name not in given.values()]
    asked = [known(code) for code in (language, other) if code is not None]
    found = columns_by_name(free, rows, asked) | given
    missing = next((column for column in found.values() if column not in names), None)
    if missing is not None:
        raise CorpusError(f"{path.name} has no column '{missing}'; {_listed(names)}", "mend --columns")
    if language is None:
        return _known_pairs(path, found, names)
    if language not in found and names == ("text",):
        return Corpus(path, "text")
    if language not in found:
        raise _not_found(path, language, names, _likely(rows, names, found))
    if other is None:
        if len(names) == 1:
            return Corpus(path, "text", {language: found[language]})
        other = _other_side(path, language, found, names, _likely(rows, names, found))
    if other not in found:
        raise _not_found(path, other, names, _likely(rows, names, found))
    return Corpus(path, "parallel", {code: found[code] for code in (language, other)})


def _likely(rows: Sequence[Mapping[str, Any]], names: tuple[str, ...], found: Mapping[str, str]) -> str:
    """The column to take for an example: of those that no language has, the one with the most letters."""
    free = [name for name in names if name not in found.values()] or list(names)
    letters = {name: sum(map(str.isalpha, "".join(str(row.get(name) or "") for row in rows))) for name in free}
    return max(free, key=lambda name: letters[name], default="COLUMN")


def _other_side(path: Path, language: str, found: Mapping[str, str], names: tuple[str, ...], likely: str) -> str:
    others = [code for code in found if code != language]
    if len(others) == 1:
        return others[0]
    if _FIRST_CHOICE in others:
        return _FIRST_CHOICE
    if others:
        raise CorpusError(
            f"{path.name}: which language is on the other side? It has {', '.join(others)}",
            f"name it: --with {others[0]}",
        )
    raise CorpusError(
        f"{path.name}: no other column is called by a language; {_listed(names)}",
        f"say which it is, e.g. --columns {_said(_FIRST_CHOICE, likely)}",
    )


def _known_pairs(path: Path, found: Mapping[str, str], names: tuple[str, ...]) -> Corpus:
    if len(found) >= 2:
        chosen = sorted(found, key=lambda code: code != _FIRST_CHOICE)[:2]
        return Corpus(path, "parallel", {code: found[code] for code in chosen})
    raise CorpusError(
        f"{path.name}: pairs in two languages were expected; {_listed(names)}",
        "name its columns by their languages, e.g. eng and ind",
    )


def _not_found(path: Path, code: str, names: tuple[str, ...], likely: str) -> CorpusError:
    return CorpusError(
        f"{path.name}: no column is called {code} or {get_language(code).names.english}; {_listed(names)}",
        f"say which it is, e.g. --columns {_said(code, likely)}; a file without a header line needs one",
    )


def _said(code: str, column: str) -> str:
    return f'"{code}={column}"' if " " in column else f"{code}={column}"


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"'{name[:40]}'" for name in map(str, names[:12]))
    return f"its columns are {shown}" if names else "it has no columns"
