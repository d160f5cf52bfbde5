"""Checks a language file as a reviewer would: YAML, schema, codes, script, licences, and the files beside it.

Only the file itself is looked at, and nothing in it is run or fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from toolkit.errors import LanguageError
from toolkit.languages import codes
from toolkit.languages.codes import Wrong
from toolkit.languages.language import Language, Names, parse_direction
from toolkit.languages.licences import LICENCES, nearest_licence
from toolkit.languages.likeness import as_seen
from toolkit.languages.problems import MOST_PROBLEMS, Problem, schema_problems
from toolkit.languages.scripts import check_writing
from toolkit.languages.strict_yaml import read_plain_yaml
from toolkit.languages.texts import shown, visible

_Found = Iterator[tuple[str, Wrong]]
"""Fields with what is wrong with each."""


def check_language_file(path: Path, known: Mapping[str, Language]) -> list[Problem]:
    """What is wrong with one language file, at most `MOST_PROBLEMS`; an empty list if nothing is.

    Args:
        path: the YAML file.
        known: the languages it will stand beside, by code; one with the same code is the one it replaces.
    """
    file = visible(path.name)
    try:
        fields = read_plain_yaml(path)
    except LanguageError as error:
        return [Problem(file, "", error.message.removeprefix(str(path)).lstrip(":, "), error.hint or "")]
    return check_fields(path, fields, known)


def check_fields(path: Path, fields: Mapping[str, Any], known: Mapping[str, Language]) -> list[Problem]:
    """What is wrong with what a language file says, or would say if it were written there; see `check_language_file`.

    Args:
        path: the YAML file; it is not read.
        fields: what it holds.
        known: see `check_language_file`.
    """
    file = visible(path.name)
    try:
        language = Language.model_validate(fields)
    except ValidationError as error:
        code = _code_that_is_none(fields)
        others = [one for one in schema_problems(file, error) if not (code and one.field == "code")]
        return [*([Problem(file, "code", code.message, code.fix)] if code else []), *others]
    found = chain(
        _name(path, language),
        _codes(language),
        check_writing(language),
        _clashes(language, known),
        _other_languages(language),
        _pairs(language),
        _licences(language),
    )
    told = islice(found, MOST_PROBLEMS)
    return [Problem(file, field, wrong.message, wrong.fix) for field, wrong in told]


def _code_that_is_none(fields: Mapping[str, Any]) -> Wrong | None:
    """What the registries say about the code of a file that the schema refuses, e.g. `jw`."""
    code = fields.get("code")
    if isinstance(code, str) and code.isascii() and code.isalpha() and len(code) in (2, 3):
        return codes.check_code(code.lower())
    return None


def _name(path: Path, language: Language) -> _Found:
    if path.name != f"{language.code}.yaml":
        fix = f"call it {language.code}.yaml, or mend `code`"
        yield "code", Wrong(f"the file is for '{language.code}'", fix)


def _codes(language: Language) -> _Found:
    code, two = language.code, language.iso639_1
    wrong = codes.check_code(code, language.names.english)
    if wrong:
        yield "code", wrong
        return
    if language.is_local and language.glottocode is None:
        yield "glottocode", Wrong(f"'{code}' is a code for local use", "say which language it is: give its glottocode")
    expected = codes.two_letters(code)
    if two == expected:
        return
    if expected is None:
        yield "iso639_1", Wrong(f"{code} has no two-letter code, not '{two}'", "leave it out")
    elif two is None:
        yield "iso639_1", Wrong("it is missing", f"write {expected}")
    else:
        retired = codes.is_deprecated(two)
        said = f"'{two}' is deprecated" if retired else f"'{two}' is not the two-letter code of {code}"
        yield "iso639_1", Wrong(said, f"write {expected}")


def _other_languages(language: Language) -> _Found:
    if language.code in language.related:
        yield "related", Wrong(f"{language.code} is listed as related to itself", "remove it")
    listed = [(f"related.{i}", code) for i, code in enumerate(language.related)]
    for kind, sources in (("data", language.data), ("evaluation", language.evaluation)):
        for i, source in enumerate(sources):
            listed += [(f"{kind}.{i}.beside.{j}", code) for j, code in enumerate(source.beside)]
    for field, code in listed:
        wrong = codes.check_code(code)
        if wrong:
            yield field, wrong


def _pairs(language: Language) -> _Found:
    for i, pair in enumerate(language.smoke):
        field = f"smoke.{i}.direction"
        try:
            direction = parse_direction(pair.direction)
        except LanguageError as error:
            yield field, Wrong(error.message, error.hint or "")
            continue
        ends = (direction.source, direction.target)
        if language.code not in ends:
            said = f"'{direction}' has nothing to do with {language.code}"
            yield field, Wrong(said, f"write e.g. 'eng>{language.code}'")
        yield from ((field, wrong) for end in ends if (wrong := codes.check_code(end)))


def _licences(language: Language) -> _Found:
    for kind, sources in (("data", language.data), ("evaluation", language.evaluation)):
        for i, source in enumerate(sources):
            if source.licence not in LICENCES:
                near = nearest_licence(source.licence)
                fix = f"did you mean {near}?" if near else "use the Hub's tag, or `other` with a note"
                yield f"{kind}.{i}.licence", Wrong(f"{shown(source.licence)} is no licence that the Hub knows", fix)


def _clashes(language: Language, known: Mapping[str, Language]) -> _Found:
    """Names and codes under which people would find two languages."""
    for other in known.values():
        if other.code == language.code:
            continue
        whose = f"{other.code} ({other.names.english})"
        theirs = {as_seen(name) for name in _called(other.names)}
        for name in sorted(name for name in _called(language.names) if as_seen(name) in theirs):
            yield "names", Wrong(f"{shown(name)} is a name of {whose} too", "say which one, as in 'Toba Batak'")
        for code in sorted({language.code, *language.other_codes} & {other.code, *other.other_codes}):
            yield "code", Wrong(f"'{code}' leads to {whose} too", "keep it in one of them")


def _called(names: Names) -> set[str]:
    return {name.casefold() for name in (names.english, names.own, *names.aliases)}
