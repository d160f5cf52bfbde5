"""Starts a language: what is known of it already, whether each answer can stand, and the file that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.contributions.language_file import language_text
from toolkit.corpus.writing import write_new
from toolkit.errors import LanguageError, OutputError
from toolkit.languages import all_languages, codes, look_in
from toolkit.languages.checking import check_fields
from toolkit.languages.problems import Problem
from toolkit.languages.registry import own_file


def is_known(code: str, folder: Path) -> bool:
    """Whether the toolkit has this language, or its file lies in this folder already."""
    look_in(folder)
    return code in all_languages()


def known_where(code: str) -> str:
    """Where a known language is described, for messages."""
    file = own_file(code)
    if file and file.is_relative_to(Path.cwd()):
        return f"in {file.relative_to(Path.cwd())}"
    return f"in {file}" if file else f"toolkit/languages/{code}.yaml (`cogsym languages show {code}`)"


def first_fields(code: str) -> dict[str, Any]:
    """What the registries say about a code: names from ISO 639, the script from CLDR, as fields of a language file.

    Raises:
        LanguageError: if it is no code of one language; the hint says what to write instead.
    """
    wrong = codes.check_code(code)
    if wrong:
        raise LanguageError(wrong.message, wrong.fix)
    fields: dict[str, Any] = {"code": code, "iso639_1": codes.two_letters(code), "names": {}}
    if "qaa" <= code <= "qtz":
        return fields
    fields["names"] = {"english": codes.english_name(code)}
    return with_script(fields, codes.likely_script(code))


def with_script(fields: Mapping[str, Any], script: str | None) -> dict[str, Any]:
    """The fields with a script, and the direction in which that runs where it is not left to right."""
    runs = codes.writing_direction(script) if script else "ltr"
    return {**fields, "script": script, "direction": runs if runs != "ltr" else None}


def problems_of(fields: Mapping[str, Any], asked: str) -> list[Problem]:
    """What is wrong with one answer beside those before it, as `cogsym languages check` says.

    Args:
        fields: of the language file so far.
        asked: the field that was answered, such as `names.own`.
    """
    names = {"english": fields["code"], "own": fields["code"], **fields.get("names", {})}
    whole = {"script": "Latn", **_plain(fields), "names": names}
    found = check_fields(Path(f"{fields['code']}.yaml"), whole, all_languages())
    clashes = "names" if asked.startswith("names.") else asked
    return [one for one in found if one.field == clashes or one.field == asked or one.field.startswith(f"{asked}.")]


def file_text(fields: Mapping[str, Any]) -> str:
    """The text of the language file.

    Raises:
        LanguageError: with the first thing that is still missing or wrong.
    """
    found = check_fields(Path(f"{fields['code']}.yaml"), _plain(fields), all_languages())
    if found:
        first, *others = found
        more = f" ({len(others)} more: {', '.join(one.field for one in others)})" if others else ""
        raise LanguageError(f"{first}{more}", first.fix)
    return language_text(fields)


def write_language(text: str, code: str, folder: Path) -> Path:
    """The new language file; the language is known from then on.

    Raises:
        OutputError: if one of another content is there.
    """
    path = folder / f"{code}.yaml"
    write_new(path, [text])
    look_in(folder)
    return path


def refuse_file(code: str, folder: Path) -> None:
    """Raise where a file of that name is there that no language could be read from, before anybody answers anything.

    Raises:
        OutputError: naming it.
    """
    path = folder / f"{code}.yaml"
    if path.exists():
        raise OutputError(f"{path} is there already", f"mend it (`cogsym languages check {path}`), or move it away")


def free_code(folder: Path) -> str:
    """The first code for local use that nobody has here."""
    return next(code for last in "abcdefghijklmnopqrstuvwxyz" if not is_known(code := f"qa{last}", folder))


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, [], {}, "")}
