"""Checks a language file as a reviewer would: YAML, schema, codes, script, licences, and the files beside it.

Only the file itself is looked at, and nothing in it is run or fetched.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from toolkit.errors import LanguageError
from toolkit.languages import codes
from toolkit.languages.language import Language, Names, parse_direction
from toolkit.languages.licences import LICENCES, nearest_licence
from toolkit.languages.problems import Problem, schema_problems
from toolkit.languages.searching import plain
from toolkit.languages.strict_yaml import read_plain_yaml
from toolkit.languages.texts import shown, visible


def check_language_file(path: Path, known: Mapping[str, Language]) -> list[Problem]:
    """Everything that is wrong with one language file; an empty list if nothing is.

    Args:
        path: the YAML file.
        known: the languages it will stand beside, by code; one with the same code is the one it replaces.
    """
    name = visible(path.name)
    try:
        fields = read_plain_yaml(path)
    except LanguageError as error:
        return [Problem(name, "", error.message.removeprefix(str(path)).lstrip(":, "), error.hint or "")]
    try:
        language = Language.model_validate(fields)
    except ValidationError as error:
        told = list(_code_problems_of(name, fields))
        return [*told, *(one for one in schema_problems(name, error) if not (told and one.field == "code"))]
    return list(_problems(name, language, known))


def _problems(file: str, language: Language, known: Mapping[str, Language]) -> Iterator[Problem]:
    def problem(field: str, message: str, fix: str) -> Problem:
        return Problem(file, field, message, fix)

    if file != f"{language.code}.yaml":
        yield problem("code", f"the file is for '{language.code}'", f"call it {language.code}.yaml, or mend `code`")
    wrong = codes.check_code(language.code, language.names.english)
    if wrong:
        yield problem("code", wrong.message, wrong.fix)
    if language.is_local and language.glottocode is None:
        yield problem(
            "glottocode", f"'{language.code}' is a code for local use", "say which language it is: glottocode"
        )
    two = None if wrong or language.is_local else codes.two_letters(language.code)
    if not wrong and language.iso639_1 != two:
        if two is None:
            yield problem(
                "iso639_1", f"{language.code} has no two-letter code, not '{language.iso639_1}'", "leave it out"
            )
        else:
            deprecated = codes.check_code(language.iso639_1, language.names.english) if language.iso639_1 else None
            said = deprecated.message if deprecated and "deprecated" in deprecated.message else None
            said = said or (
                f"'{language.iso639_1}' is not its two-letter code" if language.iso639_1 else "it is missing"
            )
            yield problem("iso639_1", said, f"write {two}")
    yield from _script_problems(file, language)
    for field, listed in _other_languages(language):
        wrong = codes.check_code(listed)
        if wrong:
            yield problem(field, wrong.message, wrong.fix)
    if language.code in language.related:
        yield problem("related", f"{language.code} is listed as related to itself", "remove it")
    for i, pair in enumerate(language.smoke):
        yield from _pair_problems(file, f"smoke.{i}.direction", pair.direction, language.code)
    for kind, sources in (("data", language.data), ("evaluation", language.evaluation)):
        for i, source in enumerate(sources):
            if source.licence not in LICENCES:
                near = nearest_licence(source.licence)
                fix = f"did you mean {near}?" if near else "use the Hub's tag, or `other` with a note"
                yield problem(f"{kind}.{i}.licence", f"{shown(source.licence)} is no licence that the Hub knows", fix)
    yield from _clashes(file, language, known)


def _other_languages(language: Language) -> Iterator[tuple[str, str]]:
    for i, code in enumerate(language.related):
        yield f"related.{i}", code
    for kind, sources in (("data", language.data), ("evaluation", language.evaluation)):
        for i, source in enumerate(sources):
            for j, code in enumerate(source.beside):
                yield f"{kind}.{i}.beside.{j}", code


def _script_problems(file: str, language: Language) -> Iterator[Problem]:
    wrong = codes.check_script(language.script)
    if wrong:
        yield Problem(file, "script", wrong.message, wrong.fix)
        return
    runs = codes.writing_direction(language.script)
    if language.direction != runs:
        yield Problem(
            file,
            "direction",
            f"{codes.script_names(language.script)[0]} does not run {language.direction}",
            f"write {runs}",
        )
    found = _scripts_of(language.names.own)
    expected = _unicode_words(language.script)
    if found and not found & expected:
        seen = ", ".join(sorted(word.title() for word in found))
        yield Problem(
            file,
            "names.own",
            f"{shown(language.names.own)} is in {seen} letters, and `script` says {language.script}",
            "write the name in that script and put the other into aliases, or mend `script`",
        )


def _scripts_of(text: str) -> set[str]:
    """The first words of its letters' names in Unicode: LATIN, DEVANAGARI, CJK."""
    return {
        unicodedata.name(letter, "?").replace("-", " ").split()[0]
        for letter in text
        if unicodedata.category(letter)[0] == "L"
    }


def _unicode_words(script: str) -> set[str]:
    if script in ("Hani", "Hans", "Hant", "Hanb"):
        return {"CJK", "BOPOMOFO"} if script == "Hanb" else {"CJK"}
    if script in ("Jpan", "Hrkt"):
        return {"CJK", "HIRAGANA", "KATAKANA"}
    if script == "Kore":
        return {"HANGUL", "CJK"}
    words = {word for name in codes.script_names(script) for word in plain(name).upper().split()}
    return words | {"ARABIC"} if script == "Aran" else words


def _pair_problems(file: str, field: str, direction: str, code: str) -> Iterator[Problem]:
    try:
        parsed = parse_direction(direction)
    except LanguageError as error:
        yield Problem(file, field, error.message, error.hint or "")
        return
    if code not in (parsed.source, parsed.target):
        yield Problem(file, field, f"'{direction}' has nothing to do with {code}", f"write e.g. 'eng>{code}'")
    for end in (parsed.source, parsed.target):
        wrong = codes.check_code(end)
        if wrong:
            yield Problem(file, field, wrong.message, wrong.fix)


def _clashes(file: str, language: Language, known: Mapping[str, Language]) -> Iterator[Problem]:
    """Names and codes under which people would find two languages."""
    for other in known.values():
        if other.code == language.code:
            continue
        theirs = {name.casefold() for name in _called(other.names)}
        for name in _called(language.names):
            if name.casefold() in theirs:
                yield Problem(
                    file,
                    "names",
                    f"{shown(name)} is a name of {other.code} ({other.names.english}) too",
                    "say which one",
                )
        for code in {language.code, *language.other_codes} & {other.code, *other.other_codes}:
            yield Problem(file, "code", f"'{code}' leads to {other.code} ({other.names.english}) too", "keep it in one")


def _called(names: Names) -> set[str]:
    return {names.english, names.own, *names.aliases}


def _code_problems_of(file: str, fields: dict[str, Any]) -> Iterator[Problem]:
    """What the registries say about a code that the schema already refused, e.g. `jw`."""
    code = fields.get("code")
    if isinstance(code, str) and len(code) < 9 and code.isascii() and code.isalpha() and not _fits(code):
        wrong = codes.check_code(code.lower())
        if wrong:
            yield Problem(file, "code", wrong.message, wrong.fix)


def _fits(code: str) -> bool:
    return len(code) == 3 and code.islower()
