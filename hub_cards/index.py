"""One page that lists every language with its scores: for an organisation, a collection, or a folder of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub_cards.facts import CardFacts, ScoreRow
from hub_cards.metadata import write_front_matter
from hub_cards.render import environment, tidy
from hub_cards.text import one_line
from hub_cards.verdict import THRESHOLDS, judge
from hub_cards.wording import size
from toolkit.errors import CardError

MAX_NOTE_CHARACTERS = 500
"""The Hub's limit for the note of a collection's item."""


@dataclass(frozen=True)
class IndexRow:
    """One delta in the list."""

    facts: CardFacts
    into: ScoreRow | None
    """The headline score of translating into the new language; the first such direction."""
    out_of: ScoreRow | None
    words: dict[str, str]
    """What each direction is called: good, fair, weak, poor, no gain, worse."""


def render_index(deltas: Sequence[CardFacts], *, title: str, introduction: str = "") -> str:
    """The page, languages in the order of their English names.

    Args:
        deltas: facts of each, from `collect` or from a published `records/card.json`.
        title: heading of the page.
        introduction: a paragraph of words below it.

    Raises:
        CardError: if there is nothing to list.
    """
    if not deltas:
        raise CardError("there is no delta to list", "give run folders or downloaded deltas")
    rows = [index_row(facts) for facts in sorted(deltas, key=lambda f: (f.language.english, f.base.id, f.name))]
    template = environment().get_template("index.md.jinja")
    return tidy(template.render(rows=rows, title=title, introduction=introduction))


def render_organisation(deltas: Sequence[CardFacts], *, title: str, introduction: str = "") -> str:
    """The index as the README.md of an organisation's own Space, `org/README`, which the Hub shows on its page."""
    fields: dict[str, Any] = {"title": one_line(title), "sdk": "static", "pinned": False}
    return f"{write_front_matter(fields)}\n{render_index(deltas, title=title, introduction=introduction)}"


def collection_note(facts: CardFacts) -> str:
    """What the Hub shows beside this delta in a collection: scores, size and base in plain text."""
    scores = [
        f"{one_line(verdict.source, 40)} → {one_line(verdict.target, 40)} {verdict.metric} {verdict.value} "
        f"({verdict.grade}, {one_line(verdict.dataset, 60)})"
        for verdict in facts.verdicts
    ]
    what = f"{one_line(facts.language.english, 40)} for {one_line(facts.base_name, 60)}"
    return one_line(
        ". ".join([what, *scores, f"{size(facts.delta.size_bytes)} on top of the base"]), MAX_NOTE_CHARACTERS
    )


def index_row(facts: CardFacts) -> IndexRow:
    """This delta's line: one headline score each way, by the metric that verdicts are based on."""
    headline = [
        row for metric in THRESHOLDS for row in facts.target_scores if row.metric == metric and row.adapted is not None
    ]
    code = facts.language.code
    words = {f"{verdict.direction} {verdict.dataset}": verdict.grade for verdict in judge(facts.scores)}
    return IndexRow(
        facts,
        into=next((row for row in headline if row.direction.endswith(f">{code}")), None),
        out_of=next((row for row in headline if row.direction.startswith(f"{code}>")), None),
        words={key: str(word) for key, word in words.items()},
    )
