"""Finds languages by code, reading the YAML files beside this module."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import ValidationError

from toolkit.errors import LanguageError
from toolkit.languages.language import Language
from toolkit.languages.problems import schema_problems
from toolkit.languages.searching import search_languages
from toolkit.languages.strict_yaml import read_plain_yaml

FOLDER = Path(__file__).parent


@cache
def all_languages() -> dict[str, Language]:
    """Every language of the registry by its ISO 639-3 code, in the order of their codes."""
    languages = [read_language(path) for path in sorted(FOLDER.glob("*.yaml"))]
    return {language.code: language for language in languages}


def read_language(path: Path) -> Language:
    """The language that one YAML file describes.

    Raises:
        LanguageError: if the file is not plain YAML or breaks the schema, naming the field.
    """
    fields = read_plain_yaml(path)
    try:
        language = Language.model_validate(fields)
    except ValidationError as error:
        first, *others = schema_problems(path.name, error)
        more = f"; {len(others)} more: `cogsym languages check {path.name}`" if others else ""
        raise LanguageError(str(first), first.fix + more) from error
    if path.stem != language.code:
        raise LanguageError(
            f"{path} describes '{language.code}'", f"name the file {language.code}.yaml, or mend `code`"
        )
    return language


def get_language(code: str) -> Language:
    """The language with this ISO 639-3 code.

    Raises:
        LanguageError: if the registry has no such code; the hint names the nearest one.
    """
    languages = all_languages()
    if code in languages:
        return languages[code]
    found = search_languages(code, languages.values())
    suggestion = f"did you mean '{found[0].language.code}'? " if found else ""
    raise LanguageError(f"unknown language '{code}'", f"{suggestion}`cogsym languages list` shows all {len(languages)}")
