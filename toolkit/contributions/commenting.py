"""A review as a comment in Markdown, made from values that nobody vouches for.

A comment notifies people and links to places, so every value stands in code: there no mention, no reference, no link,
no HTML and no markup means anything.
"""

from __future__ import annotations

import re
import unicodedata

from hub_cards.text import code_span, fence
from toolkit.contributions.reviewing import FileReview, ModelReview, Review, ScoreChange
from toolkit.records import shown_change

MARKER = "<!-- cogsym languages review -->"
"""The first line, by which an earlier comment is found and replaced."""
MAX_COMMENT = 60_000  # characters; GitHub takes 65,536
_CUT = "\n\nThe rest did not fit: `cogsym languages review` shows it.\n"
_LONGEST_VALUE = 300


def as_comment(review: Review) -> str:
    """The comment, never longer than `MAX_COMMENT`."""
    parts = [MARKER, "## Language files", _verdict(review), *map(_file, review.files)]
    cards = [_card(model) for file in review.files for model in file.models if model.card]
    text = ""
    for part in [*parts, *cards]:  # whole parts, so that no block is left open
        if len(text) + len(part) + len(_CUT) > MAX_COMMENT:
            return text + _CUT
        text += part + "\n\n"
    return text.rstrip("\n") + "\n"


def _verdict(review: Review) -> str:
    if not review.files:
        return "No language file is changed."
    if review.left_out:
        return f"{review.left_out} more files are changed than are looked at here: please send fewer at a time."
    if review.ok:
        return "Nothing to mend. A maintainer will look at what a machine cannot check: see CONTRIBUTING.md."
    return "Something is to be mended first. `cogsym languages check FILE` tells the same where you work."


def _file(file: FileReview) -> str:
    name = _code(file.file)
    title = f"### {name}" + (f", {_code(file.english)}" if file.english else "") + f": {file.change}"
    lines = [title]
    if file.problems:
        lines += ["", "| field | what is wrong | what to do |", "|---|---|---|"]
        lines += [f"| {_code(one.field)} | {_code(one.message)} | {_code(one.fix)} |" for one in file.problems]
    if file.english and file.own:
        thanks = ", ".join(map(_code, file.contributors)) or "nobody yet: add yourself under `contributors:`"
        lines += ["", f"On the page it is called {_code(file.own)}. Card and table thank {thanks}."]
    if file.unchecked:
        lines += ["", f"Not looked at: {', '.join(map(_code, file.unchecked))}."]
    lines += [f"\n{_model(model)}" for model in file.models]
    return "\n".join(lines)


def _model(model: ModelReview) -> str:
    instead = f", instead of {_code(model.replaces)}" if model.replaces else ""
    lines = [f"Model {_code(model.repository)} at {_code(model.revision)}{instead}."]
    if model.trouble:
        lines.append(f"**To be mended:** {_code(model.trouble)}")
    if model.scores:
        lines += ["", "| what | test set | metric | before | now | difference |", "|---|---|---|---:|---:|---:|"]
        lines += map(_score, model.scores)
        if not all(score.comparable for score in model.scores):
            lines += ["", "\\* measured on other rows, or in another way: not to be compared."]
    return "\n".join(lines)


def _score(score: ScoreChange) -> str:
    decimals = _decimals(*(value for value in (score.before, score.after) if value is not None))
    difference = ""
    if score.before is not None and score.after is not None and score.comparable:
        difference = f"{shown_change(score.before, score.after, decimals):+.{decimals}f}"
    star = "" if score.comparable else " \\*"
    cells = (
        _code(score.what),
        _code(score.dataset),
        _code(score.metric),
        *(_number(value, decimals) for value in (score.before, score.after)),
    )
    return f"| {' | '.join(cells)} | {difference}{star} |"


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def _decimals(*values: float) -> int:
    """One on the scale of 0 to 100, three on the scale of 0 to 1."""
    return 3 if all(abs(value) <= 1 for value in values) else 1


def _card(model: ModelReview) -> str:
    """The card as its source, folded away."""
    shown = "".join(character for character in model.card or "" if _is_visible(character))
    return (
        f"<details><summary>Card of <code>{_plain(model.repository)}</code></summary>\n\n"
        f"{fence(shown, 'markdown')}\n\n</details>"
    )


def _is_visible(character: str) -> bool:
    kept = unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return kept or character in "\n\u200c\u200d"


def _plain(text: str) -> str:
    return re.sub(r"[^\w./-]", "?", text, flags=re.ASCII)[:100]


def _code(text: str) -> str:
    return str(code_span(text, _LONGEST_VALUE))
