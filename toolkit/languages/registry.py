"""Finds languages by code, reading the YAML files beside this module."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from toolkit.errors import LanguageError
from toolkit.languages.language import Language

FOLDER = Path(__file__).parent


@cache
def all_languages() -> dict[str, Language]:
    """Every language of the registry by its ISO 639-3 code, in the order of their codes."""
    languages = [read_language(path) for path in sorted(FOLDER.glob("*.yaml"))]
    return {language.code: language for language in languages}


def read_language(path: Path) -> Language:
    """The language that one YAML file describes.

    Raises:
        LanguageError: if the file is not valid YAML or breaks the schema, naming the field.
    """
    try:
        language = Language.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LanguageError(f"{path} cannot be read: {error}", "write it as YAML in UTF-8") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise LanguageError(f"{path}: {field}: {first['msg']} (got {first['input']!r})", "mend that field") from error
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
    names = {language.code: language.code for language in languages.values()}
    for language in languages.values():
        for name in (language.names.english, language.names.own, language.iso639_1, *language.names.aliases):
            if name:
                names[name.lower()] = language.code
    near = get_close_matches(code.lower(), names, n=1, cutoff=0.5)
    suggestion = f"did you mean '{names[near[0]]}'? " if near else ""
    raise LanguageError(f"unknown language '{code}'", f"{suggestion}`cogsym languages list` shows all {len(languages)}")
