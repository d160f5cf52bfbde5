"""Word translation: one word, asked for in quotation marks after other words of the same pair of languages.

The wording is that of Wendler et al. (2024, arXiv 2402.10588), which the CogSym paper uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.errors import EvaluationError
from toolkit.evaluation.asking import Write
from toolkit.evaluation.drawing import Draw
from toolkit.evaluation.metrics import accepted_words
from toolkit.evaluation.task import Task, name_of_test
from toolkit.languages import Direction, Language, get_language, parse_direction
from toolkit.test_sets import WordsSet


def words_task(test_set: WordsSet, text: str, draw: Draw) -> Task:
    """The task of one direction. Every word has examples of its own, none of which shows it or its answers.

    Where a cell holds several words, the first source word is asked for, and each target word is accepted. Rows with
    the same source word are one question; what any of them says is accepted.

    Raises:
        EvaluationError: if there are too few other words to draw examples from.
    """
    direction = parse_direction(text)
    source, target = get_language(direction.source), get_language(direction.target)
    rows = draw.rows(test_set, text)

    every = draw.pool(test_set, text) or draw.rows(test_set.model_copy(update={"limit": None}), text).rows
    words = _merged(test_set, every, direction)
    asked = []
    for word in _merged(test_set, rows.rows, direction):
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
        source=rows,
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

    def words(text: str) -> list[str]:
        return [word.strip() for word in text.split(test_set.separator) if word.strip()]

    same: dict[str, list[str]] = {}
    accepted: dict[str, list[str]] = {}
    for row in rows:
        sources = words(row[direction.source])
        same.setdefault(sources[0], []).extend(sources)
        accepted.setdefault(sources[0], []).extend(words(row[direction.target]))
    return [_Word(word, frozenset(same[word]), tuple(dict.fromkeys(accepted[word]))) for word in same]


def _ask(word: str, source: Language, target: Language) -> str:
    return f'{source.names.own}: "{word}" - {target.names.own}: "'
