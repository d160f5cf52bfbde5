"""Renders `CardFacts` into a card: page, metadata, benchmark files and JSON, all from the same values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hub_cards import licences, text, wording, yours
from hub_cards.citations import citations
from hub_cards.facts import ADAPTED, BASE, CardFacts, ScoreRow
from hub_cards.figures import shown_scores
from hub_cards.metadata import dump_yaml, eval_results, front_matter, kept_keys, slug, split_card, write_front_matter
from toolkit.languages import Direction, parse_direction
from toolkit.records import DataInfo

SMALL_TEST = 100
"""Fewer test sentences than this, and the card says that the numbers are rough."""
_GREETING = "Good morning, how are you?"
_SHORT_SAMPLE, _LONGEST_SAMPLE = 40, 80  # characters


@dataclass(frozen=True)
class Card:
    """A card and what belongs to it, not yet written."""

    facts: CardFacts
    readme: str
    eval_results: dict[str, str]
    """`.eval_results/*.yaml` by file name; empty where none applies."""

    @property
    def json(self) -> str:
        """The facts, for programs."""
        return self.facts.model_dump_json(indent=2) + "\n"


def render(facts: CardFacts, *, figures: Collection[str] = (), files: Collection[str] = (), earlier: str = "") -> Card:
    """The card of these facts. The same arguments give the same text.

    Args:
        facts: see `collect`.
        figures: names of the pictures that lie in `figures/`.
        files: names of the licence files beside the card.
        earlier: the card that this one replaces; what a person has written in it is kept.

    Raises:
        CardError: if the earlier card's markers are damaged, or the metadata does not read back as it was meant.
    """
    body = environment().get_template("card.md.jinja").render(context(facts, figures, files))
    body = yours.insert_sections(tidy(body), yours.read_sections(split_card(earlier)[1]))
    head = write_front_matter({**front_matter(facts), **kept_keys(earlier)})
    return Card(facts, f"{head}\n{body}", eval_results(facts))


@cache
def environment() -> Environment:
    """The fixed templates, with an escape on every value: a value is never a template."""
    made = Environment(
        loader=PackageLoader("hub_cards"),
        autoescape=True,  # makes macros return Markup; `finalize` has escaped every plain value by then
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "words": text.escape_markdown,
        "code": text.code_span,
        "sh": text.quote_shell,
        "py": text.quote_python,
        "fenced": text.fence,
        "url": lambda path: Markup(quote(path, safe="/")),
        "short": lambda digest: digest[:16],
        "plain": _plain,
        "settings": lambda values: wording.listing(text.code_span(f"{key}: {_plain(v)}") for key, v in values.items()),
        "size": wording.size,
        "count": wording.count,
        "duration": wording.duration,
        "grams": wording.grams,
        "percent": wording.percent,
        "ranges": wording.ranges,
        "listing": wording.listing,
        "score": wording.score,
        "difference": wording.difference,
        "other_models": _other_models,
    }
    made.globals["fence"] = _fence_block
    made.globals["start_marker"] = yours.start_marker
    return made


def context(facts: CardFacts, figures: Collection[str], files: Collection[str]) -> dict[str, Any]:
    """What the templates see: the facts, and what follows from them."""
    sources = facts.training.data if facts.training else ()
    sample_text, sample_direction = _sample(facts)
    merged_name = f"{slug(facts.base_name)}-{facts.language.code}"
    return {
        "facts": facts,
        "figures": figures,
        "files": files,
        "licences": licences.KNOWN,
        "pocket": facts.base.id == "pocket",
        "local_base": not facts.base_on_hub and facts.base.id != "pocket",
        # What was replayed only keeps what the base knew: the new language was not learnt from it.
        "phrasebook": _names(
            source.name for source in sources if source.origin == "phrasebook" and source.role == "target"
        ),
        "machine_translated": _names(source.name for source in sources if source.origin == "machine translation"),
        "noncommercial": _names(source.name for source in sources if licences.is_noncommercial(source.licence)),
        "data_licences": _data_licences(sources),
        "cautions": list(dict.fromkeys(row.caution for row in facts.scores if row.caution)),
        "direction_pairs": _direction_pairs(facts),
        "sample_text": sample_text,
        "sample_direction": sample_direction,
        "merged_name": merged_name,
        "lm_eval_model": f"pretrained={merged_name},softmax_dtype=float32",
        "lm_eval_tasks": ",".join(dict.fromkeys(row.task for row in facts.scores)),
        "selection_text": _selection_text(facts),
        "tasks": list({row.task: row for row in facts.scores}.values()),
        "signatures": "\n".join(dict.fromkeys(text.one_line(row.signature, 400) for row in facts.scores)),
        "common_test": _common_test(facts),
        "worse_known": _first_by_task(row for row in facts.known_scores if row.change == "worse"),
        "small_tests": _small_tests(facts),
        "scores_alt": _scores_alt(facts),
        "layers_alt": _layers_alt(facts),
        "recipe_yaml": dump_yaml(_stated(facts.training.recipe)) if facts.training else "",
        "bibtex": "\n\n".join(citations(facts)),
    }


def tidy(body: str) -> str:
    """The text with at most one empty line in a row outside of code, and none at its ends."""
    parts = re.split(r"(?ms)(^(`{3,})[^\n`]*\n.*?^\2[ \t]*$)", body)  # prose, block, its fence, prose, ...
    prose = [re.sub(r"\n[ \t]*(?:\n[ \t]*)+\n", "\n\n", part) for part in parts[::3]]
    blocks = [*parts[1::3], ""]
    return "".join(part for pair in zip(prose, blocks, strict=True) for part in pair).strip() + "\n"


def _finalize(value: Any) -> Any:
    """What happens to every `{{ value }}`: plain text is escaped, safe text and numbers pass."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return text.escape_markdown(value)
    return value


def _plain(value: Any) -> str:
    """A setting's value as people write it; text that would not be seen, such as a line break, in quotes."""
    if isinstance(value, str) and value.isprintable() and value == value.strip() != "":
        return value
    return json.dumps(value, ensure_ascii=False)


def _fence_block(language: str, caller: Callable[[], str]) -> Markup:
    return text.fence(str(caller()), language)


def _names(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _data_licences(sources: Iterable[DataInfo]) -> list[dict[str, str]]:
    """Every source with its role and what people call its licence; empty where none is recorded."""
    told = [
        {
            "name": source.name,
            "role": source.role,
            "licence": licences.KNOWN.get(source.licence, (source.licence,))[0] if source.licence else "",
        }
        for source in sources
    ]
    return [source for number, source in enumerate(told) if source not in told[:number]]


def _stated(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe without fields that say nothing."""

    def stated(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: stated(part) for key, part in value.items() if part not in (None, [], {}, ())}
        return [stated(part) for part in value] if isinstance(value, list | tuple) else value

    return stated(recipe)  # type: ignore[no-any-return]


def _first_by_task(rows: Iterable[ScoreRow]) -> list[ScoreRow]:
    first: dict[str, ScoreRow] = {}
    for row in rows:
        first.setdefault(row.task, row)
    return list(first.values())


def _other_models(rows: Sequence[ScoreRow]) -> list[str]:
    """Models beside base and adapted that have a number in one of these rows."""
    names = dict.fromkeys(measured.model for row in rows for measured in row.measurements)
    return [name for name in names if name not in (BASE, ADAPTED)]


def _small_tests(facts: CardFacts) -> list[dict[str, Any]]:
    """Test sets too small for firm numbers, each with its directions."""
    tests: dict[tuple[str, int], list[str]] = {}
    for row in _first_by_task(row for row in facts.target_scores if row.n < SMALL_TEST):
        tests.setdefault((row.dataset, row.n), []).append(row.direction)
    return [{"dataset": dataset, "n": n, "directions": directions} for (dataset, n), directions in tests.items()]


def _common_test(facts: CardFacts) -> ScoreRow | None:
    """Any row, where all rows have the same test set, size and shots: then a sentence says it, and not every row."""
    tests = {(row.dataset, row.n, row.shots) for row in facts.scores}
    return facts.scores[0] if len(tests) == 1 else None


def _target_directions(facts: CardFacts) -> list[Direction]:
    code = facts.language.code
    directions = [parse_direction(direction) for direction in facts.directions]
    return [direction for direction in directions if code in (direction.source, direction.target)] or directions


def _direction_pairs(facts: CardFacts) -> list[Markup]:
    """`between English and Javanese`, or `from English to Javanese` where only one way was trained."""
    names = {language.code: text.escape_markdown(language.english) for language in facts.languages}
    directions = _target_directions(facts)
    phrases: list[Markup] = []
    for direction in directions:
        both = direction.reverse in directions
        if both and direction.reverse < direction:
            direction = direction.reverse
        first, second = names[direction.source], names[direction.target]
        phrases.append(Markup(f"between {first} and {second}" if both else f"from {first} to {second}"))
    return list(dict.fromkeys(phrases))


def _sample(facts: CardFacts) -> tuple[str, str]:
    """A sentence and a direction for the commands: from the test set where that has a short one."""
    usable = [
        example for example in facts.examples if 0 < len(example.source_text) <= _LONGEST_SAMPLE and example.adapted
    ]
    if usable:
        shown = next((example for example in usable if len(example.source_text) <= _SHORT_SAMPLE), usable[0])
        return shown.source_text, shown.direction
    directions = [str(direction) for direction in _target_directions(facts)]
    from_english = [direction for direction in directions if direction.startswith("eng>")]
    return _GREETING, (from_english or directions or [f"eng>{facts.language.code}"])[0]


def _selection_text(facts: CardFacts) -> Markup:
    chosen = facts.selection
    parts = [f"the decoder layers {wording.ranges(chosen.layers)} of {chosen.n_layers}"] if chosen.layers else []
    if len(chosen.layers) == chosen.n_layers:
        parts = [f"all {chosen.n_layers} decoder layers"]
    method = f"{chosen.method}:{chosen.budget}" if chosen.budget else chosen.method
    if chosen.neurons is not None:
        parts = [f"{sum(map(len, chosen.neurons.values())):,} feed-forward neurons in {part}" for part in parts]
    elif "ffn" in method.split(":"):
        parts = [f"the feed-forward matrices of {part}" for part in parts]
    parts += [
        name
        for name, trains in (
            ("the embeddings", chosen.embeddings),
            ("the LM head", chosen.head),
            ("the final norm", chosen.final_norm),
        )
        if trains
    ]
    return Markup(f"Trained by {text.code_span(method)}: {wording.listing(map(Markup, parts))}.")


def _scores_alt(facts: CardFacts) -> str:
    rows = shown_scores(facts.scores)
    shown = []
    for row in rows:
        numbers = ", ".join(
            f"{ {BASE: 'base', ADAPTED: 'this delta'}.get(measured.model, measured.model) } {measured.value}"
            for measured in row.measurements
        )
        shown.append(f"{row.direction}: {numbers}")
    return f"{rows[0].metric}: {'; '.join(shown)}" if rows else ""


def _layers_alt(facts: CardFacts) -> str:
    return (
        f"Heat map of the change by layer: layers {wording.ranges(facts.delta.layers)} of {facts.base.n_layers} changed"
    )
