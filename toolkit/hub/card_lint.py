"""Reads a card as the Hub will, and finds what the Hub would reject or what its records do not say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

from toolkit.errors import CardError, LanguageError
from toolkit.hub.contents import Contents
from toolkit.hub.target import is_repo_id
from toolkit.languages import get_language
from toolkit.records import DeltaConfig, EvaluationRecord

DELTA_TAG = "cogsym-delta"
"""The Hub tag by which published deltas are found."""
MAX_CARD_BYTES = 1_000_000
"""More than this, and the Hub's page of the repository no longer renders whole."""
_FRONT_MATTER = re.compile(r"\A(?:\ufeff)?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_LINK = re.compile(
    r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|<(?:img|a)\b[^>]*?(?:src|href)=[\"']([^\"']+)", re.IGNORECASE
)
_ELSEWHERE = re.compile(r"\A(?:[a-z][a-z0-9+.-]*:|#|//)", re.IGNORECASE)
_CODE_BLOCK = re.compile(r"^(```+|~~~+).*?^\1", re.DOTALL | re.MULTILINE)


def read_front_matter(card: str) -> dict[str, Any]:
    """The metadata at the top of a card.

    Raises:
        CardError: if there is none, or it is not a YAML mapping.
    """
    match = _FRONT_MATTER.match(card)
    if match is None:
        raise CardError("the card has no front matter", "run `cogsym card` again")
    try:
        metadata = yaml.safe_load(match.group(1))
    except yaml.YAMLError as error:
        raise CardError(f"the card's front matter is not YAML: {' '.join(str(error).split())}", "correct it") from error
    if not isinstance(metadata, dict):
        raise CardError("the card's front matter is not a mapping", "run `cogsym card` again")
    return metadata


def lint_card(
    path: Path, config: DeltaConfig, evaluations: Iterable[EvaluationRecord], contents: Contents
) -> Iterator[str]:
    """Everything wrong with this card that can be known without the Hub."""
    try:
        text = path.read_text(encoding="utf-8")
        metadata = read_front_matter(text)
    except (OSError, UnicodeDecodeError) as error:
        yield f"{path.name} cannot be read: {error.__class__.__name__}"
        return
    except CardError as error:
        yield error.message
        return
    if len(text.encode()) > MAX_CARD_BYTES:
        yield f"{path.name} is larger than {MAX_CARD_BYTES} bytes"
    yield from (f"{where} is null: leave it out" for where in _nulls(metadata))
    yield from _language_problems(metadata, config)
    yield from _identity_problems(metadata, config)
    yield from _score_problems(metadata, tuple(evaluations))
    yield from _missing_files(text, contents)


def _nulls(value: Any, where: str = "") -> Iterator[str]:
    if value is None:
        yield where
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _nulls(part, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _nulls(part, f"{where}[{index}]")


def _language_problems(metadata: dict[str, Any], config: DeltaConfig) -> Iterator[str]:
    codes = _as_list(metadata.get("language"))
    for code in codes:
        if isinstance(code, bool):
            yield "a language is true or false: quote the code, YAML reads an unquoted `no` as false"
        elif not isinstance(code, str) or not re.fullmatch(r"[a-z]{2,3}", code) or code == "jw":
            yield f"language {code!r} is no code that the Hub accepts: ISO 639-1 where one exists, else ISO 639-3"
    try:
        wanted = get_language(config.language).hub_code
    except LanguageError:
        wanted = config.language
    if wanted not in codes:
        yield f"language does not list {wanted}, the language of this delta"


def _identity_problems(metadata: dict[str, Any], config: DeltaConfig) -> Iterator[str]:
    if not isinstance(metadata.get("license"), str):
        yield "license is missing"
    elif config.base.licence and metadata["license"] != config.base.licence:
        yield f"license is {metadata['license']!r}, but the base is under {config.base.licence!r}"
    if DELTA_TAG not in _as_list(metadata.get("tags")):
        yield f"tags do not hold {DELTA_TAG}, by which deltas are found"
    for key in ("base_model", "datasets"):
        for value in _as_list(metadata.get(key)):
            # Old data sets have no organisation in their id; models of that kind are all there ever will be.
            if not isinstance(value, str) or not is_repo_id(value if "/" in value else f"hub/{value}"):
                yield f"{key} {value!r} is no Hub id"
    if is_repo_id(config.base.id) and config.base.id not in _as_list(metadata.get("base_model")):
        yield f"base_model is not {config.base.id}, the base of this delta"


def _score_problems(metadata: dict[str, Any], evaluations: tuple[EvaluationRecord, ...]) -> Iterator[str]:
    measured = [score.value for record in evaluations for score in record.scores]
    for place, result in _results(metadata):
        for part, keys in (("task", ("type",)), ("dataset", ("type", "name"))):
            mapping = result.get(part) if isinstance(result, dict) else None
            for key in keys:
                if not isinstance(mapping, dict) or not isinstance(mapping.get(key), str):
                    yield f"{place}.{part}.{key} is missing"
        for metric in _as_list(result.get("metrics") if isinstance(result, dict) else None):
            if not isinstance(metric, dict) or not isinstance(metric.get("type"), str):
                yield f"{place}: a metric has no type"
            elif not isinstance(metric.get("value"), int | float) or isinstance(metric["value"], bool):
                yield f"{place}: {metric['type']} has no numeric value"
            elif not any(_rounds_to(value, metric["value"]) for value in measured):
                yield f"{place}: {metric['type']} is {metric['value']}, which no evaluation record says"


def _results(metadata: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for number, model in enumerate(_as_list(metadata.get("model-index"))):
        for index, result in enumerate(_as_list(model.get("results") if isinstance(model, dict) else None)):
            yield f"model-index[{number}].results[{index}]", result


def _rounds_to(measured: float, shown: float) -> bool:
    """Whether `shown` is `measured`, rounded to as many decimals as `shown` has."""
    decimals = len(repr(float(shown)).partition(".")[2])
    return abs(measured - shown) <= 0.5 * 10**-decimals + 1e-9


def _missing_files(card: str, contents: Contents) -> Iterator[str]:
    body = _CODE_BLOCK.sub("", _FRONT_MATTER.sub("", card))
    targets = dict.fromkeys(unquote(match.group(1) or match.group(2)) for match in _LINK.finditer(body))
    for target in targets:
        path = target.partition("#")[0].partition("?")[0].removeprefix("./")
        if _ELSEWHERE.match(target) or not path:
            continue
        if not any(file.path == path or file.path.startswith(path.rstrip("/") + "/") for file in contents.files):
            yield f"the card links to {target}, which is not published"


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
