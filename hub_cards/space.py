"""The card of a translation Space: what the Hub builds it from, and what a visitor reads before trying it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hub_cards.facts import CardFacts
from hub_cards.index import index_row
from hub_cards.metadata import write_front_matter
from hub_cards.render import environment, tidy
from hub_cards.text import one_line
from toolkit.errors import CardError

MAX_DESCRIPTION_CHARACTERS = 60
"""The Hub's limit for a Space's short description."""
_GATED = ("llama2",)


def render_space(
    deltas: Sequence[CardFacts],
    *,
    sdk_version: str,
    python_version: str = "3.11",
    title: str = "CogSym Translator",
    app_file: str = "app.py",
    hardware: str | None = None,
) -> str:
    """README.md of a Space that serves these deltas.

    Args:
        deltas: facts of each; those that are published on the Hub are linked, and downloaded while the Space is built.
        sdk_version: exact version of Gradio.
        python_version: as the Hub's builders offer it, `3.11`.
        hardware: what to suggest to somebody who copies the Space, e.g. `zero-a10g`.

    Raises:
        CardError: if the version of Gradio is not exact.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", sdk_version):
        raise CardError(f"'{sdk_version}' is not an exact version of Gradio", "give one like 6.31.0")
    published = [facts for facts in deltas if facts.published]
    fields: dict[str, Any] = {
        "title": one_line(title, 100),
        "emoji": "🗣️",
        "colorFrom": "blue",
        "colorTo": "indigo",
        "sdk": "gradio",
        "sdk_version": sdk_version,
        "python_version": python_version,
        "app_file": app_file,
        "license": "apache-2.0",
        "short_description": _description(deltas),
        "startup_duration_timeout": "1h",
        "tags": ["translation", "cogsym-delta", *_scripts(deltas)],
    }
    if hardware:
        fields["suggested_hardware"] = hardware
    if published:
        fields["models"] = _models(published)
        fields["preload_from_hub"] = _preloaded(published)
    rows = [index_row(facts) for facts in deltas]
    body = environment().get_template("space.md.jinja").render(title=title, rows=rows)
    return f"{write_front_matter(fields)}\n{tidy(body)}"


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


def _preloaded(deltas: Sequence[CardFacts]) -> list[str]:
    """Deltas, and bases that anybody may download: a build has no token, so it cannot fetch a gated one."""
    entries = [f"{facts.name} config.json,{facts.delta.file}" for facts in deltas]
    entries += [facts.base.id for facts in deltas if facts.base_on_hub and facts.base_licence not in _GATED]
    return list(dict.fromkeys(entries))
