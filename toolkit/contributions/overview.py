"""The table of all languages in Markdown, made from the language files alone; scores come from published records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub_cards.text import escape_markdown
from toolkit.languages import Language
from toolkit.languages.entries import PublishedModel

_OPENING = """\
# Languages

Each language is one file here; what a field means is in [`schema.json`](schema.json). To add yours: \
`cogsym languages new`,
then [CONTRIBUTING.md](../../CONTRIBUTING.md). Until it is here, the toolkit finds `CODE.yaml` in the folder that you \
are in
and beside your recipe; a run and a published delta carry a copy, so that whoever fetches the delta needs nothing else.

This page is made by `cogsym languages table --out toolkit/languages/README.md`: change the files, not the page.

"""
_HEAD = (
    "| code | language | own name | script | spoken in | data sets | test sets | models |\n"
    "|---|---|---|---|---|---:|---:|---|\n"
)
_METRIC = "chrF++"

Scores = Mapping[tuple[str, str], str]
"""What a model scored, in words, by repository and revision."""


def languages_page(languages: Iterable[Language], scores: Scores | None = None) -> str:
    """The page of `toolkit/languages`: one row for each language, in the order of their codes.

    Args:
        languages: as the registry has them.
        scores: of models whose records were read; others are named without.
    """
    rows = [_row(language, scores or {}) for language in sorted(languages, key=lambda one: one.code)]
    return _OPENING + _HEAD + "".join(rows)


def _row(language: Language, scores: Scores) -> str:
    code = f"[{language.code}]({language.code}.yaml)" + (" (no ISO code)" if language.is_local else "")
    cells = (
        code,
        _text(language.names.english),
        _text(language.names.own),
        language.script,
        _text(language.spoken_in or ""),
        str(len(language.data) or ""),
        str(len(language.evaluation) or ""),
        "<br>".join(_model(model, scores) for model in language.models),
    )
    return f"| {' | '.join(cells)} |\n"


def _model(model: PublishedModel, scores: Scores) -> str:
    link = f"[{model.repository}](https://huggingface.co/{model.repository}/tree/{model.revision})"
    scored = scores.get((model.repository, model.revision))
    return f"{link} on {model.base}" + (f" ({_text(scored)})" if scored else "")


def _text(text: str) -> str:
    """Words of a person in a cell of a table."""
    return str(escape_markdown(text, limit=500))


def published_scores(languages: Iterable[Language], endpoint: str | None = None) -> dict[tuple[str, str], str]:
    """What the declared models scored, from the records that were published with them.

    Raises:
        HubError: if one cannot be read.
    """
    from toolkit.hub import read_published

    scores = {}
    for language in languages:
        for model in language.models:
            (published,) = read_published([f"{model.repository}@{model.revision}"], endpoint=endpoint)
            words = [
                f"{row.direction} {measured.value:.{row.decimals}f}"
                for row in published.facts.scores
                if row.metric == _METRIC and row.role == "target" and (measured := row.of("adapted")) is not None
            ]
            if words:
                scores[model.repository, model.revision] = f"{_METRIC} {', '.join(words)}"
    return scores
