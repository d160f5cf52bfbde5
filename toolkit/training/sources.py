"""What a bare file of text holds, by the names of its columns, where no recipe describes it."""

from __future__ import annotations

from pathlib import Path

from toolkit.corpus import column_names
from toolkit.errors import CorpusError
from toolkit.languages import all_languages
from toolkit.recipe import DataSource


def describe_file(path: Path, language: str) -> DataSource:
    """Instructions, or sentence pairs between `language` and every other column that is named by a language code.

    Raises:
        CorpusError: if the file is unreadable, or its columns are neither.
    """
    columns = column_names(path)
    if {"instruction", "output"} <= set(columns):
        return DataSource(path=str(path), kind="instructions")
    known = all_languages()
    others = [column for column in columns if column in known and column != language]
    if language not in columns or not others:
        raise CorpusError(
            f"{path.name} has the columns {', '.join(columns)}: neither {language} and another language by their "
            "codes, nor instruction and output",
            "rename the columns, or describe them in a recipe and pass --recipe",
        )
    directions = [direction for other in others for direction in (f"{other}>{language}", f"{language}>{other}")]
    return DataSource(path=str(path), directions=tuple(directions))
