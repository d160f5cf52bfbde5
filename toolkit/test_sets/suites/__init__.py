"""Test sets that come with the toolkit by name: what they are, not their data."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import yaml

from toolkit.errors import EvaluationError
from toolkit.languages import get_language
from toolkit.recipe import make_tests
from toolkit.test_sets import TestSet

FOLDER = Path(__file__).parent


@cache
def all_suites() -> dict[str, str]:
    """What each suite is, by its name."""
    return {path.stem: str(_fields(path.stem, "jav")["about"]) for path in sorted(FOLDER.glob("*.yaml"))}


def suite(name: str, language: str, data: Path | None = None) -> tuple[TestSet, ...]:
    """The test sets of a suite for one language.

    Args:
        name: one of `all_suites`.
        language: ISO 639-3 code of the language that was learnt.
        data: folder in which the suite's files lie as in their source; suites from the Hub need none.

    Raises:
        EvaluationError: if there is no such suite, it lacks the language, or needs files and has no folder.
    """
    if name not in all_suites():
        raise EvaluationError(f"no suite is called '{name}'", f"use one of: {', '.join(all_suites())}")
    fields = _fields(name, language)
    if language not in fields.get("languages", [language]):
        known = ", ".join(fields["languages"])
        raise EvaluationError(f"the suite {name} has no {language}", f"it has {known}; name test sets with --recipe")
    if data is None and any("path" in entry for entry in fields["evaluation"]):
        raise EvaluationError(
            f"the suite {name} needs its files: {fields['source']}", "get them, and pass --data FOLDER"
        )
    return make_tests(fields["evaluation"], data or Path(), where=f"suite {name}")


def _fields(name: str, language: str) -> dict[str, Any]:
    """The suite's YAML with this language in its places."""
    entry = get_language(language)
    column = entry.names.english.lower().replace(" ", "_")
    # Where a data set calls a language otherwise than by code and script, the language's own file says so.
    tag = next((known.config for known in entry.evaluation if known.suite == name and known.config), entry.tag)
    short = entry.hub_code or entry.code
    text = Template((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    fields = yaml.safe_load(text.substitute(code=entry.code, tag=tag, short=short, column=column))
    assert isinstance(fields, dict)
    return fields
