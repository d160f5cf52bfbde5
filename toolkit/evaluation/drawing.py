"""What all tasks of one evaluation share, and how they come by their rows and worked examples."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from toolkit.corpus import Rows
from toolkit.errors import EvaluationError
from toolkit.prompts import Template
from toolkit.test_sets import TestSet, read_examples, read_rows

Each = TypeVar("Each")


@dataclass(frozen=True)
class Draw:
    """The language that was learnt, the wording it was learnt in, how many rows, and the seed of the examples.

    `identifier` names the model that identifies languages; default the one that is there.
    """

    language: str
    template: Template
    limit: int | None = None
    seed: int = 0
    identifier: str | None = None

    def role(self, direction: str) -> Literal["target", "known"]:
        """Whether a direction or language is about the one that was learnt."""
        return "target" if self.language in direction.split(">") else "known"

    def rows(self, test_set: TestSet, direction: str | None = None) -> Rows:
        """The rows to score, the first ones where there is a limit."""
        return read_rows(test_set, direction).first(self.limit_of(test_set))

    def limit_of(self, test_set: TestSet) -> int | None:
        """At most so many rows, or questions; None for all."""
        return min((each for each in (self.limit, test_set.limit) if each is not None), default=None)

    def pool(self, test_set: TestSet, direction: str | None = None) -> Sequence[dict[str, Any]]:
        """The rows that worked examples may be drawn from: none shares a text with the test set.

        Raises:
            EvaluationError: if there are fewer than the test set asks for.
        """
        if not test_set.shots:
            return ()
        examples = read_examples(test_set, direction)
        if examples is None:
            return ()
        held_out = {text for row in read_rows(test_set, direction).rows for text in _texts(row)}
        pool = [row for row in examples.rows if held_out.isdisjoint(_texts(row))]
        if len(pool) < test_set.shots:
            raise EvaluationError(
                f"{examples.name} holds {len(pool)} rows outside the test set, "
                f"but {test_set.shots} examples are asked for",
                "give another shots_path, or fewer shots",
            )
        return pool

    def examples(self, pool: Sequence[Each], count: int, *, salt: str = "") -> list[Each]:
        """`count` rows of the pool; the same ones for the same seed and salt."""
        return random.Random(f"{self.seed}{salt}" if salt else self.seed).sample(list(pool), count)


def _texts(row: dict[str, Any]) -> list[str]:
    """What makes two rows the same sentence; labels and options do not."""
    return [value for key, value in row.items() if isinstance(value, str) and value and key not in ("label", "passage")]
