"""The card of a translation Space: what the Hub builds it from, and what a visitor reads before trying it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub_cards.facts import CardFacts
from hub_cards.index import index_row
from hub_cards.metadata import DELTA_TAG, read_front_matter, write_front_matter
from hub_cards.render import environment, tidy
from hub_cards.text import one_line
from toolkit.errors import CardError

MAX_DESCRIPTION_CHARACTERS = 60
"""The Hub's limit for a Space's short description."""
DEFAULT_TITLE = "CogSym Translator"
SPACE_TAG = "cogsym-space"
"""By this a Space is known as one that may be renewed."""
_HARDWARE = (
    (4_000_000_000, "cpu-basic"),
    (18_000_000_000, "l4x1"),
    (36_000_000_000, "l40sx1"),
    (64_000_000_000, "a100-large"),
)
"""Bytes of the largest base that fits, with room for its work, and the Hub's name for that machine."""


@dataclass(frozen=True)
class Preload:
    """Files of one commit of a repository, downloaded while the Space is built, and so there when it starts."""

    repo_id: str
    files: tuple[str, ...]
    commit: str

    def __str__(self) -> str:
        return f"{self.repo_id} {','.join(self.files)} {self.commit}"


def render_space(
    deltas: Sequence[CardFacts],
    *,
    sdk_version: str,
    python_version: str = "3.12",
    title: str = DEFAULT_TITLE,
    app_file: str = "app.py",
    hardware: str | None = None,
    preload: Sequence[Preload] = (),
) -> str:
    """README.md of a Space that serves these deltas.

    Args:
        deltas: facts of each; those that are published on the Hub are linked.
        sdk_version: exact version of Gradio.
        python_version: as the Hub's builders offer it; `3.12` is the one that ZeroGPU has, too.
        hardware: what to suggest to somebody who copies the Space, e.g. `zero-a10g`; default what the base needs.
        preload: only what everybody may download: a build has no token.

    Raises:
        CardError: if the version of Gradio is not exact.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", sdk_version):
        raise CardError(f"'{sdk_version}' is not an exact version of Gradio", "give one like 6.31.0")
    published = [facts for facts in deltas if facts.published]
    hardware = hardware or suggested_hardware(deltas)
    fields: dict[str, Any] = {
        "title": one_line(title, 100),
        "emoji": "🌏",
        "colorFrom": "blue",
        "colorTo": "indigo",
        "sdk": "gradio",
        "sdk_version": sdk_version,
        "python_version": python_version,
        "app_file": app_file,
        "license": "apache-2.0",
        "short_description": _description(deltas),
        "startup_duration_timeout": "1h",
        "tags": ["translation", SPACE_TAG, DELTA_TAG, *_scripts(deltas)],
    }
    if hardware:
        fields["suggested_hardware"] = hardware
    if published:
        fields["models"] = _models(published)
    if preload:
        fields["preload_from_hub"] = [str(files) for files in preload]
    rows = [index_row(facts) for facts in deltas]
    body = environment().get_template("space.md.jinja").render(title=title, rows=rows)
    return f"{write_front_matter(fields)}\n{tidy(body)}"


def is_space_card(card: str) -> bool:
    """Whether this README.md is one that `render_space` made, and so may be made again."""
    try:
        return SPACE_TAG in (read_front_matter(card).get("tags") or ())
    except (CardError, TypeError):
        return False


def suggested_hardware(deltas: Sequence[CardFacts]) -> str | None:
    """The smallest machine of the Hub that the base fits into; None without deltas."""
    needed = max((facts.base.size_bytes for facts in deltas), default=None)
    if needed is None:
        return None
    return next((name for size_bytes, name in _HARDWARE if needed <= size_bytes), "a100x4")


def _description(deltas: Sequence[CardFacts]) -> str:
    names = list(dict.fromkeys(one_line(facts.language.english, 30) for facts in deltas))
    full = f"Translate to and from {', '.join(names)}"
    if names and len(full) <= MAX_DESCRIPTION_CHARACTERS:
        return full
    return f"Translate to and from {len(names)} languages" if names else "Translate with CogSym deltas"


def _scripts(deltas: Sequence[CardFacts]) -> list[str]:
    return list(dict.fromkeys(facts.language.tag for facts in deltas))


def _models(deltas: Sequence[CardFacts]) -> list[str]:
    bases = [facts.base.id for facts in deltas if facts.base_on_hub]
    return list(dict.fromkeys([facts.name for facts in deltas] + bases))
