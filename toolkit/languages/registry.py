"""Finds languages by code: those that come with the toolkit, and those whose files lie where a person works.

A language that is not in the toolkit yet is one file, `CODE.yaml`. It is found in the folder that a person is in,
beside a recipe, and in the run folder or published delta that was trained with it, there under `languages/`. So it
travels with whatever needs it, and nobody has to say where it is. What comes with the toolkit is never replaced: a file
from elsewhere can add a language, and change none; nor is one known that passes for a language of the toolkit.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from toolkit.errors import LanguageError
from toolkit.languages.language import Language
from toolkit.languages.likeness import as_seen
from toolkit.languages.problems import schema_problems
from toolkit.languages.searching import search_languages
from toolkit.languages.strict_yaml import read_plain_yaml
from toolkit.languages.texts import shown

FOLDER = Path(__file__).parent
CARRIED = "languages"
"""The folder beside a recipe, or in a run folder or a published delta, in which language files may lie."""
_FILE_NAME = re.compile(r"([a-z]{3})\.yaml")

_own_files: dict[str, Path] = {}  # of the languages from elsewhere
_unusable: dict[str, LanguageError] = {}  # files from elsewhere that are named like one


@cache
def all_languages() -> dict[str, Language]:
    """Every language known by now, by its ISO 639-3 code: those of the toolkit first, in the order of their codes."""
    languages = [read_language(path) for path in sorted(FOLDER.glob("*.yaml"))]
    return {language.code: language for language in languages}


def look_in(folder: Path, wanted: Collection[str] | None = None) -> None:
    """Let the languages be known whose files lie in this folder, or below it in `languages/`.

    Args:
        wanted: codes; all others are left alone.

    Raises:
        LanguageError: if a file gives a code to another language than the one already found under it.
    """
    for path in sorted([*folder.glob("???.yaml"), *folder.glob(f"{CARRIED}/???.yaml")]):
        match = _FILE_NAME.fullmatch(path.name)
        code = match[1] if match else ""
        if code and (wanted is None or code in wanted) and (code in _own_files or code not in all_languages()):
            _take(code, path)


def _take(code: str, path: Path) -> None:
    try:
        language = read_language(path)
    except LanguageError as error:  # a recipe may have such a name too, so it is told when the language is wanted
        _unusable[code] = error
        return
    imitated = _imitated(language)
    if imitated:
        _unusable[code] = LanguageError(f"{path}: {imitated}", "give it a name and codes of its own")
        return
    where = _own_files.setdefault(code, path.absolute())
    if where == path.absolute():  # it may have been edited since
        all_languages()[code] = language
        return
    other = all_languages()[code]
    # A delta answers to the name it was trained with, so two names under one code cannot both be served.
    if (other.prompt_name, other.glottocode) != (language.prompt_name, language.glottocode):
        raise LanguageError(
            f"two languages have the code '{code}': {other.names.english} in {where} and "
            f"{language.names.english} in {path}",
            "keep the name that models were trained with as `in_prompts` in both, or give one of them another code",
        )


def _imitated(language: Language) -> str | None:
    """What a language from elsewhere has that people know as a language of the toolkit's, if anything."""
    names = {as_seen(name): name for name in (language.names.english, language.names.own, *language.names.aliases)}
    codes = {code for code in (language.iso639_1, *language.other_codes) if code}
    for other in all_languages().values():
        if other.code in _own_files or other.code == language.code:
            continue
        whose = f"{other.code} ({other.names.english})"
        for name in (other.names.english, other.names.own, *other.names.aliases):
            if as_seen(name) in names:
                return f"{shown(names[as_seen(name)])} is a name of {whose}"
        for code in sorted(codes & {other.code, other.iso639_1, *other.other_codes}):
            return f"'{code}' is a code of {whose}"
    return None


def own_file(code: str) -> Path | None:
    """The file that a language was read from; None for one that comes with the toolkit."""
    return _own_files.get(code)


def _in_iso(code: str) -> str | None:
    """What ISO 639-3 calls the one language with this code; None where it is no such code."""
    if not re.fullmatch("[a-z]{3}", code):
        return None
    from toolkit.languages.codes import check_code, english_names  # a table that takes its time

    names = english_names(code)
    return names[0] if names and check_code(code) is None else None


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


def own_code(code: str) -> str:
    """The ISO 639-3 code by which the language is known here that a person may call `tl` or `fil`; else as given.

    For what people type. Files and records say the one code themselves.
    """
    languages = all_languages()
    if code not in languages:
        look_in(Path.cwd(), {code})
    meant = [each.code for each in languages.values() if code in (each.iso639_1, *each.other_codes)]
    return meant[0] if code not in languages and len(meant) == 1 else code


def own_direction(text: str) -> str:
    """A direction with the codes by which its languages are known here."""
    source, arrow, target = text.partition(">")
    return f"{own_code(source.strip())}{arrow}{own_code(target.strip())}"


def get_language(code: str) -> Language:
    """The language with this ISO 639-3 code.

    Raises:
        LanguageError: if there is none; the hint names the nearest one, or what is wrong with the file that has it.
    """
    languages = all_languages()
    if code not in languages:
        look_in(Path.cwd(), {code})
    if code in languages:
        return languages[code]
    if code in _unusable:
        raise _unusable[code]
    own = own_code(code)
    if own != code:
        raise LanguageError(
            f"unknown language '{code}'", f"write {own}, as {languages[own].names.english} is called here"
        )
    name = _in_iso(code)
    if name is not None:
        raise LanguageError(
            f"unknown language '{code}'",
            f"{code} is {name}, which the toolkit does not know yet: `cogsym languages new --code {code}` adds it",
        )
    found = search_languages(code, languages.values())
    suggestion = f"did you mean '{found[0].language.code}'? " if found else ""
    raise LanguageError(
        f"unknown language '{code}'",
        f"{suggestion}`cogsym languages list` shows all {len(languages)}; `cogsym languages new` adds yours",
    )
