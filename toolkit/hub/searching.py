"""Finds the deltas that others have published, by the Hub tag that every card carries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import langcodes
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import ModelInfo

from hub_cards.metadata import DELTA_TAG
from toolkit.errors import LanguageError
from toolkit.hub.client import hub_client
from toolkit.hub.failures import hub_errors
from toolkit.languages import get_language

_THREADS = 8


@dataclass(frozen=True)
class FoundScore:
    """One number of a card."""

    metric: str
    value: float
    dataset: str


@dataclass(frozen=True)
class FoundDelta:
    """One published delta, as its card and its files describe it."""

    repo_id: str
    languages: tuple[str, ...]
    """The codes of its card: ISO 639-1 where one exists, else 639-3."""
    base: str | None
    scores: tuple[FoundScore, ...]
    size_bytes: int | None
    """Bytes of the delta; None where the repository may not be looked into."""
    downloads: int
    last_modified: str | None
    """ISO 8601 date."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def search(
    language: str | None = None,
    *,
    author: str | None = None,
    limit: int = 50,
    token: str | bool | None = None,
    endpoint: str | None = None,
) -> list[FoundDelta]:
    """Published deltas, the most downloaded first.

    Args:
        language: ISO 639 code of a language that the card names.
        author: organisation or user.
        limit: at most so many.
        token: default the one that you logged in with.
        endpoint: address of the Hub; default HF_ENDPOINT, else the public one.

    Raises:
        LanguageError: if the code is no code of a language.
        HubError: if the Hub cannot be asked.
    """
    api = hub_client(endpoint, token)
    tags = [DELTA_TAG] if language is None else [DELTA_TAG, hub_code(language)]
    with hub_errors("search the Hub", "it", token=token):
        listed = api.list_models(filter=tags, author=author, sort="downloads", full=True, cardData=True)
        models = [info for info in islice(listed, limit) if DELTA_TAG in (info.tags or [])]
        with ThreadPoolExecutor(_THREADS) as pool:
            sizes = list(pool.map(lambda info: _delta_bytes(api, info.id), models))
    return [_found(info, size) for info, size in zip(models, sizes, strict=True)]


def hub_code(language: str) -> str:
    """The code under which cards name this language: two letters where they exist.

    Raises:
        LanguageError: if it is no code of a language.
    """
    try:
        entry = get_language(language)
        return entry.hub_code or entry.tag  # a local code is on cards as a tag alone
    except LanguageError:
        if langcodes.tag_is_valid(language) and 2 <= len(language) <= 3:
            return langcodes.standardize_tag(language)
        raise


def _found(info: ModelInfo, size_bytes: int | None) -> FoundDelta:
    card: dict[str, Any] = info.card_data.to_dict() if info.card_data else {}
    results = (info.card_data.eval_results if info.card_data else None) or []
    return FoundDelta(
        repo_id=info.id,
        languages=tuple(str(code) for code in _as_list(card.get("language"))),
        base=next((str(base) for base in _as_list(card.get("base_model"))), None),
        scores=tuple(
            FoundScore(result.metric_name or result.metric_type, float(result.metric_value), result.dataset_name)
            for result in results
            if isinstance(result.metric_value, int | float)
        ),
        size_bytes=size_bytes,
        downloads=info.downloads or 0,
        last_modified=info.last_modified.date().isoformat() if info.last_modified else None,
    )


def _delta_bytes(api: HfApi, repo_id: str) -> int | None:
    try:
        siblings = api.model_info(repo_id, files_metadata=True).siblings or []
    except HfHubHTTPError:  # listed, but private to us or gone since
        return None
    return sum(file.size or 0 for file in siblings if file.rfilename.endswith(".safetensors"))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
