"""What is wrong with a language file, in words: field, value seen, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from toolkit.languages.language import Language
from toolkit.languages.texts import shown, visible

MOST_PROBLEMS = 50
"""Of one file: nobody reads more at once, and looking for what was meant takes a while each time."""


@dataclass(frozen=True)
class Problem:
    """One thing that must change in a language file."""

    file: str
    field: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}: {self.field}: {self.message}" if self.field else f"{self.file}: {self.message}"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def schema_problems(file: str, error: ValidationError) -> list[Problem]:
    """The errors of the schema, as a person would say them, the first `MOST_PROBLEMS`."""
    return [_in_words(file, dict(one)) for one in error.errors(include_url=False)[:MOST_PROBLEMS]]


def _in_words(file: str, error: dict[str, Any]) -> Problem:
    field = ".".join(visible(str(part))[:80] for part in error["loc"])
    context = error.get("ctx", {})
    seen = shown(error["input"])
    kind = error["type"]
    if kind == "language_file":
        return Problem(file, field, f"{seen}: {context['wrong']}", context["fix"])
    if kind == "extra_forbidden":
        near = get_close_matches(str(error["loc"][-1])[:80], _all_fields(), n=1)
        return Problem(file, field, "there is no such field", f"did you mean '{near[0]}'?" if near else "remove it")
    if kind == "missing":
        return Problem(file, field, "it is missing", "fill it in, as in jav.yaml")
    if kind == "string_type":
        return Problem(
            file, field, f"YAML reads {seen} as {_yaml_type(error['input'])}, not as text", "put quotes around it"
        )
    if kind in ("string_too_long", "too_long"):
        what = "characters" if kind == "string_too_long" else "entries"
        return Problem(file, field, f"{seen}: at most {context['max_length']} {what}", "shorten it")
    if kind in ("string_too_short", "too_short"):
        return Problem(file, field, f"{seen} is too few: at least {context['min_length']}", "add what is missing")
    if kind == "string_pattern_mismatch":
        name = [part for part in field.split(".") if not part.isdecimal()][-1]  # of a list's entry, the list
        return Problem(file, field, f"{seen} is not of the right form", _form(name))
    if kind == "literal_error":
        return Problem(file, field, f"{seen} is not one of the choices", f"use {context['expected']}")
    if kind == "int_parsing":
        return Problem(file, field, f"{seen} is no whole number", "write it in digits, e.g. 2100000, or leave it out")
    return Problem(file, field, f"{seen}: {error['msg'].lower()}", "mend that field")


def _yaml_type(value: object) -> str:
    names = {
        bool: "yes or no",
        int: "a number",
        float: "a number",
        dict: "fields",
        list: "a list",
        type(None): "nothing",
    }
    return names.get(type(value), "a date")


def _form(field: str) -> str:
    return {
        "code": "write the three small letters of ISO 639-3",
        "script": "write the four letters of ISO 15924, e.g. Latn",
        "iso639_1": "write the two small letters of ISO 639-1, or leave it out",
        "glottocode": "write four letters and four digits, as glottolog.org does, e.g. java1254",
        "revision": "write the whole commit, 40 hexadecimal digits",
        "base_revision": "write the whole commit, 40 hexadecimal digits",
        "sha256": "write the whole SHA-256, 64 hexadecimal digits",
        "related": "write the three small letters of ISO 639-3 for each, e.g. ind",
        "direction": "write source>target, e.g. 'eng>jav'",
    }.get(field, "compare with jav.yaml")


@cache
def _all_fields() -> tuple[str, ...]:
    return tuple(dict.fromkeys(_fields_of(Language)))


def _fields_of(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _fields_of(part)
