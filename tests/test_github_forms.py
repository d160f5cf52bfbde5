"""Issue forms and templates: what GitHub's form schema requires, as far as its documentation states it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parent.parent / ".github"
FORMS = sorted(path for path in (FOLDER / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
TOP = {"name", "description", "body", "assignees", "labels", "title", "type", "projects"}
# Attributes of each type of element: those it must have, and those it may have.
ATTRIBUTES: dict[str, tuple[set[str], set[str]]] = {
    "markdown": ({"value"}, set()),
    "input": ({"label"}, {"description", "placeholder", "value"}),
    "textarea": ({"label"}, {"description", "placeholder", "value", "render"}),
    "dropdown": ({"label", "options"}, {"description", "multiple", "default"}),
    "checkboxes": ({"label", "options"}, {"description"}),
}


def problems(form: dict[str, Any]) -> list[str]:
    """What GitHub would refuse in a form."""
    found = [f"no {key}" for key in ("name", "description", "body") if not form.get(key)]
    found += [f"{key} is no key of a form" for key in set(form) - TOP]
    body = form.get("body") or []
    if not any(element.get("type") != "markdown" for element in body):
        found.append("nothing to fill in")
    ids = [element["id"] for element in body if "id" in element]
    labels = [element.get("attributes", {}).get("label") for element in body if element.get("type") != "markdown"]
    found += [f"{name} comes twice" for name in {*ids, *labels} if (ids + labels).count(name) > 1]
    for element in body:
        found += _problems_of(element)
    return found


def _problems_of(element: dict[str, Any]) -> list[str]:
    kind, attributes = element.get("type"), element.get("attributes", {})
    if kind not in ATTRIBUTES:
        return [f"{kind} is no type"]
    must, may = ATTRIBUTES[kind]
    found = [f"{kind} without {key}" for key in must - set(attributes)]
    found += [f"{kind} has no {key}" for key in set(attributes) - must - may]
    found += [f"{key} is no key of an element" for key in set(element) - {"type", "id", "attributes", "validations"}]
    found += [f"id {element['id']}" for _ in "x" if "id" in element and not _is_id(element["id"])]
    if kind == "markdown" and "validations" in element:
        found.append("markdown is not filled in")
    found += [f"validations.{key}" for key in set(element.get("validations", {})) - {"required"}]
    options = attributes.get("options", [])
    if kind == "dropdown":
        found += [f"option {option!r} is not text" for option in options if not isinstance(option, str)]
        found += [f"option {option!r} comes twice" for option in options if options.count(option) > 1]
        found += [f"option {option!r} is reserved" for option in options if str(option).lower() == "none"]
    if kind == "checkboxes":
        found += [f"checkbox {option}" for option in options if set(option) - {"label", "required"} or not option]
    return found


def _is_id(text: object) -> bool:
    return isinstance(text, str) and text.replace("-", "").replace("_", "").isalnum() and text.isascii()


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_each_form_is_one_that_github_shows(path: Path) -> None:
    assert problems(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


def test_the_check_of_forms_finds_what_is_wrong() -> None:
    element = {"type": "dropdown", "id": "a b", "attributes": {"label": "x", "options": [True, "None"]}}
    wrong = {"name": "x", "body": [element, element, {"type": "text"}, {"type": "input"}], "colour": 1}
    found = " | ".join(problems(wrong))
    for said in (
        "no description",
        "colour",
        "a b comes twice",
        "x comes twice",
        "id a b",
        "True",
        "reserved",
        "text is",
    ):
        assert said in found


def test_names_of_forms_are_unique_and_security_has_a_way_of_its_own() -> None:
    names = [yaml.safe_load(path.read_text(encoding="utf-8"))["name"] for path in FORMS]
    assert len(set(names)) == len(names) == 3
    config = yaml.safe_load((FOLDER / "ISSUE_TEMPLATE" / "config.yml").read_text(encoding="utf-8"))
    assert set(config) <= {"blank_issues_enabled", "contact_links"}
    for link in config["contact_links"]:
        assert set(link) == {"name", "url", "about"}
    text = (FOLDER.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "Sentences or corrections" in text
    assert "A language is missing" in text
    assert {"Sentences or corrections", "A language is missing"} <= set(names)


def test_the_template_of_pull_requests_names_files_that_are_there() -> None:
    text = (FOLDER / "PULL_REQUEST_TEMPLATE.md").read_text(encoding="utf-8")
    for name in ("CITATION.cff", "CHANGELOG.md"):
        assert name in text
        assert (FOLDER.parent / name).is_file()
