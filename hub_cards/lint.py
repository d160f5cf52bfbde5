"""Finds what is wrong with a card without a network: what the Hub would reject, and what would mislead a reader."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt

from hub_cards.collect import collect, is_hub_id
from hub_cards.facts import CardFacts
from hub_cards.metadata import DELTA_TAG, model_index, read_front_matter, split_card
from hub_cards.yours import read_sections
from toolkit.errors import CardError
from toolkit.languages.codes import usual_tag
from toolkit.languages.licences import LICENCES
from toolkit.run_folder import RunFolder

MAX_CARD_BYTES = 1_000_000
MAX_PICTURE_BYTES = 5_000_000
_LOCAL_PATH = re.compile(
    r"(?<![\w/.:~-])/(?:home|Users|root|tmp|mnt|media|var|opt|srv|workspace|content|kaggle)/[^\s\"'`<>|)\]]+"
    r"|(?<![A-Za-z])[A-Za-z]:\\{1,2}[^\s\"'`<>|]+|file://[^\s\"'`<>|)\]]+|(?<![\w/])~/[^\s\"'`<>|)\]]+"
)
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}")
_HTML_TARGET = re.compile(r"<(?:img|a|source)\b[^>]*?\b(?:src|href)\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#|//", re.IGNORECASE)
_TURNING_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e")  # isolates are fine: they end with their value


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a card."""

    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"


def lint(card: str, folder: Path) -> list[Problem]:
    """Everything wrong with this card, which lies in `folder` beside the files that it speaks of.

    Args:
        card: text of README.md.
        folder: run folder or published repository. Where it holds a delta's records, the card's numbers are compared
            with them.
    """
    return list(_problems(card, folder))


def _problems(card: str, folder: Path) -> Iterator[Problem]:
    if len(card.encode("utf-8", "surrogatepass")) > MAX_CARD_BYTES:
        yield Problem(
            "size", f"the card is larger than {MAX_CARD_BYTES // 1000} kB: the Hub's page will not show it whole"
        )
    yield from _private(card, folder)
    yield from _body(split_card(card)[1], folder)
    try:
        fields = read_front_matter(card)
    except CardError as error:
        yield Problem("front-matter", error.message)
        return
    yield from (Problem("null", f"{where} is null: leave it out") for where in _nulls(fields))
    yield from _languages(fields.get("language"))
    yield from _licence(fields)
    yield from _identifiers(fields)
    yield from _model_index(fields.get("model-index", []))
    if (folder / "config.json").is_file():
        yield from _records(fields, RunFolder(folder))


def _private(card: str, folder: Path) -> Iterator[Problem]:
    own = [path for path in {str(folder.resolve()), str(Path.home())} if path != "/" and path in card]
    for path in dict.fromkeys([*own, *_LOCAL_PATH.findall(card)]):
        yield Problem("local-path", f"the card names a path of this machine: {path[:80]}")
    if _TOKEN.search(card):
        yield Problem("token", "the card holds an access token: remove it, and revoke the token")
    if any(mark in card for mark in _TURNING_MARKS):
        yield Problem("turning-marks", "the card holds marks that turn the writing direction of what follows")


def _body(body: str, folder: Path) -> Iterator[Problem]:
    try:
        sections = read_sections(body)
    except CardError as error:
        yield Problem("markers", error.message)
        sections = {}
    for name, text in sections.items():
        if _leaves_block_open(text):
            yield Problem(
                "open-block", f"your section `{name}` opens a code block, comment or <details> and never closes it"
            )
    if "# " not in body:
        yield Problem("title", "the card has no title")
    for target in dict.fromkeys(_targets(body)):
        yield from _target(target, folder)


def _target(target: str, folder: Path) -> Iterator[Problem]:
    path = unquote(target.partition("#")[0].partition("?")[0]).removeprefix("./")
    if not path or _ELSEWHERE.match(target):
        return
    file = folder / path
    if path.startswith("/") or not file.resolve().is_relative_to(folder.resolve()):
        yield Problem("missing-file", f"the card links to {target}, which is outside of the repository")
    elif not file.exists():
        yield Problem("missing-file", f"the card links to {target}, which is not there")
    elif file.is_file() and file.suffix in (".png", ".jpg", ".gif") and file.stat().st_size > MAX_PICTURE_BYTES:
        yield Problem("size", f"{target} is larger than {MAX_PICTURE_BYTES // 10**6} MB")


def _targets(body: str) -> Iterator[str]:
    """What links and pictures of the page point to."""
    for token in MarkdownIt("commonmark").enable("table").parse(body):
        if token.type == "html_block":
            yield from _HTML_TARGET.findall(token.content)
        for part in token.children or ():
            target = part.attrGet("href") or part.attrGet("src")
            if isinstance(target, str):
                yield target
            if part.type == "html_inline":
                yield from _HTML_TARGET.findall(part.content)


def _leaves_block_open(text: str) -> bool:
    """Whether what follows this text on a page would be swallowed by it."""
    probe = "a-paragraph-that-follows"
    tokens = MarkdownIt("commonmark").parse(f"{text}\n\n{probe}\n")
    shown = any(token.type == "inline" and token.content == probe and token.level == 1 for token in tokens)
    return not shown or text.lower().count("<details") > text.lower().count("</details")


def _nulls(value: Any, where: str = "") -> Iterator[str]:
    if value is None:
        yield where
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _nulls(part, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _nulls(part, f"{where}[{index}]")


def _languages(value: Any) -> Iterator[Problem]:
    import langcodes

    codes = value if isinstance(value, list) else [value] if value is not None else []
    if not codes:
        yield Problem("language", "language is missing")
    for code in codes:
        if isinstance(code, bool):
            yield Problem("language", "a language is true or false: YAML reads an unquoted `no` as false, quote it")
        elif not isinstance(code, str) or not re.fullmatch(r"[a-z]{2,3}", code) or not langcodes.tag_is_valid(code):
            yield Problem("language", f"{code!r} is no ISO 639-1 or 639-3 code")
        elif (better := usual_tag(code)) != code:
            yield Problem("language", f"the Hub rejects the language code {code!r}: write {better!r}")


def _licence(fields: dict[str, Any]) -> Iterator[Problem]:
    tag = fields.get("license")
    if not isinstance(tag, str) or tag not in LICENCES:
        yield Problem("licence", f"license {tag!r} is no tag of the Hub's: use `other` with a license_name")
    elif tag == "other" and not fields.get("license_name"):
        yield Problem("licence", "license `other` needs a license_name")


def _identifiers(fields: dict[str, Any]) -> Iterator[Problem]:
    if DELTA_TAG not in (fields.get("tags") or []):
        yield Problem("tags", f"tags do not hold {DELTA_TAG}, by which deltas are found")
    for key in ("base_model", "datasets"):
        values = fields.get(key, [])
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, str) or not is_hub_id(value if "/" in value else f"x/{value}"):
                yield Problem("hub-id", f"{key} {value!r} is no Hub id")


def _model_index(value: Any) -> Iterator[Problem]:
    for model in value if isinstance(value, list) else [value]:
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            yield Problem("model-index", "a model in model-index has no name")
            continue
        for number, result in enumerate(model.get("results") or []):
            yield from _result(f"model-index result {number + 1}", result)


def _result(where: str, result: Any) -> Iterator[Problem]:
    for part, keys in (("task", ("type",)), ("dataset", ("type", "name"))):
        mapping = result.get(part) if isinstance(result, dict) else None
        for key in keys:
            if not isinstance(mapping, dict) or not isinstance(mapping.get(key), str):
                yield Problem("model-index", f"{where} has no {part}.{key}, or it is not text")
    for metric in (result.get("metrics") if isinstance(result, dict) else None) or [None]:
        number = metric.get("value") if isinstance(metric, dict) else None
        if not isinstance(metric, dict) or not isinstance(metric.get("type"), str):
            yield Problem("model-index", f"{where} has a metric without a type")
        elif not isinstance(number, int | float) or isinstance(number, bool) or not math.isfinite(number):
            yield Problem("model-index", f"{where}: {metric['type']} has no number")
        elif not isinstance(metric.get("config", ""), str):
            yield Problem("model-index", f"{where}: the config of {metric['type']} is not text")


def _records(fields: dict[str, Any], run: RunFolder) -> Iterator[Problem]:
    """Whether the card still says what the records say."""
    try:
        facts = collect(run)
    except CardError as error:
        yield Problem("records", error.message)
        return
    shown = [model.get("results") for model in fields.get("model-index", []) if isinstance(model, dict)]
    if shown != [model["results"] for model in model_index(facts)]:
        yield Problem("stale", "the card's scores are not those of the records: run `cogsym card` again")
    try:
        written = CardFacts.read(run.card_facts)
    except CardError:
        yield Problem("stale", "records/card.json is missing or of another version: run `cogsym card` again")
        return
    if written != facts.model_copy(update={"name": written.name, "published": written.published}):
        yield Problem("stale", "the records have changed since the card was made: run `cogsym card` again")
