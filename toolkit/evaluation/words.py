"""Word translation: one word, asked for in quotation marks after other words of the same pair of languages.

The wording is that of Wendler et al. (2024, arXiv 2402.10588), which the CogSym paper uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from toolkit.errors import EvaluationError
from toolkit.evaluation.asking import Write
from toolkit.evaluation.drawing import Draw
from toolkit.evaluation.metrics import accepted_words
from toolkit.evaluation.task import Task, name_of_test
from toolkit.languages import Direction, Language, get_language, parse_direction
from toolkit.test_sets import WordsSet, read_rows


def words_task(test_set: WordsSet, text: str, draw: Draw) -> Task:
    """The task of one direction. Every word has examples of its own, none of which shows it or its answers.

    Where a cell holds several words, the first source word is asked for, and each target word is accepted. Rows with
    the same source word are one question, wherever they stand; what any of them says is accepted. A limit counts
    questions.

    Raises:
        EvaluationError: if there are too few other words to draw examples from.
    """
    direction = parse_direction(text)
    source, target = get_language(direction.source), get_language(direction.target)
    whole = read_rows(test_set, text)
    to_ask = _merged(test_set, whole.rows, direction)
    words = _merged(test_set, draw.pool(test_set, text), direction) or to_ask
    to_ask = to_ask[: draw.limit_of(test_set)]
    sources = {word.asked for word in to_ask}
    rows = tuple(row for row in whole.rows if _words(test_set, row[direction.source])[0] in sources)
    asked = []
    for word in to_ask:
        pool = [each for each in words if not each.shares_with(word)]
        if len(pool) < test_set.shots:
            raise EvaluationError(
                f"{test_set.where}: {len(pool)} words beside '{word.asked}', "
                f"but {test_set.shots} examples are asked for",
                "give more words, a shots_path, or fewer shots",
            )
        shots = [
            _ask(each.asked, source, target) + each.accepted[0] + '"\n'
            for each in draw.examples(pool, test_set.shots, salt=word.asked)
        ]
        asked.append(
            {
                "prompt": "".join(shots) + _ask(word.asked, source, target),
                "source": word.asked,
                "accepted": list(word.accepted),
                "reference": " | ".join(word.accepted),
            }
        )
    return Task(
        test=name_of_test(test_set.dataset, text, "words"),
        kind="words",
        dataset=test_set.dataset,
        direction=text,
        role=draw.role(text),
        rows=tuple(asked),
        source=replace(whole, rows=rows),
        wording="quoted words",
        shots=test_set.shots,
        seed=draw.seed,
        asks=Write('"', test_set.max_new_tokens, target="accepted"),
        metrics=(accepted_words(),),
    )


@dataclass(frozen=True)
class _Word:
    """A word, what else means the same in its language, and what is accepted as its translation."""

    asked: str
    same: frozenset[str]
    accepted: tuple[str, ...]

    def shares_with(self, other: _Word) -> bool:
        """Whether one would give the other away."""
        return not self.same.isdisjoint(other.same) or not set(self.accepted).isdisjoint(other.accepted)


def _merged(test_set: WordsSet, rows: Sequence[dict[str, Any]], direction: Direction) -> list[_Word]:
    """Rows as words, those that ask for the same one merged, in the order of the first."""

    same: dict[str, list[str]] = {}
    accepted: dict[str, list[str]] = {}
    for row in rows:
        sources = _words(test_set, row[direction.source])
        same.setdefault(sources[0], []).extend(sources)
        accepted.setdefault(sources[0], []).extend(_words(test_set, row[direction.target]))
    return [_Word(word, frozenset(same[word]), tuple(dict.fromkeys(accepted[word]))) for word in same]


def _words(test_set: WordsSet, cell: str) -> list[str]:
    return [word.strip() for word in cell.split(test_set.separator) if word.strip()]


def _ask(word: str, source: Language, target: Language) -> str:
    return f'{source.names.own}: "{word}" - {target.names.own}: "'
