"""What base and adapted model said to the same sentences of the test set, from the samples behind the scores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path

from interface_texts import say
from language_names import own_name, written_in

from toolkit.languages import Direction, Language, get_language
from toolkit.records import EvaluationRecord
from toolkit.routing import BASE, Adaptation

SHOWN = 4  # sentences of each direction: the test set's first ones, not chosen ones
LONGEST_LINE = 20_000  # characters; samples may come from a stranger


@dataclass(frozen=True)
class Compared:
    """One sentence and what was made of it."""

    source: str
    reference: str
    base: str
    adapted: str


def comparison_tables(adaptation: Adaptation, interface: str) -> str:
    """A table for each direction that the adaptation was trained on and measured in."""
    return "".join(_table(adaptation, direction, interface) for direction in adaptation.directions)


def compared(adaptation: Adaptation, direction: Direction) -> list[Compared]:
    """The first sentences of the test set to which both models' answers are known."""
    base, adapted = (_record(adaptation, direction, model) for model in (BASE, "adapted"))
    if base is None or adapted is None:
        return []
    folder = adaptation.run.samples
    both = zip(_samples(folder, base), _samples(folder, adapted), strict=False)
    found = (
        Compared(source, reference, before, after)
        for (source, reference, before), (other, same, after) in both
        if (source, reference) == (other, same)
    )
    return list(islice(found, SHOWN))


def _table(adaptation: Adaptation, direction: Direction, interface: str) -> str:
    rows = compared(adaptation, direction)
    if not rows:
        return ""
    source, target = get_language(direction.source), get_language(direction.target)
    columns = (("source", source), ("reference", target), ("base", target), ("adapted", target))
    head = "".join(f'<th scope="col">{escape(say(interface, f"compared_{name}"))}</th>' for name, _ in columns)
    body = "".join(f"<tr>{''.join(_cell(row, *column, interface) for column in columns)}</tr>" for row in rows)
    caption = f"{own_name(source)} → {own_name(target)}"
    return (
        f'<div class="scroll" tabindex="0"><table class="scores compared"><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(row: Compared, name: str, language: Language, interface: str) -> str:
    # On a phone the column's name stands above the text.
    column = escape(say(interface, f"compared_{name}"))
    return f'<td data-name="{column}" {written_in(language)}>{escape(getattr(row, name))}</td>'


def _record(adaptation: Adaptation, direction: Direction, model: str) -> EvaluationRecord | None:
    for record in adaptation.evaluations:
        wanted = record.kind == "translation" and record.model == model and record.direction == str(direction)
        if wanted and record.samples:
            return record
    return None


def _samples(folder: Path, record: EvaluationRecord) -> Iterator[tuple[str, str, str]]:
    """Source, reference and answer of each line, up to the first that cannot be read."""
    try:
        with (folder / Path(record.samples[0]).name).open(encoding="utf-8") as file:
            while line := file.readline(LONGEST_LINE):
                row = json.loads(line)
                yield str(row["source"]), str(row["reference"]), str(row["hypothesis"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
