"""What a ranked selection looks at besides the shape of the model, and what it makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from toolkit.errors import SelectionError
from toolkit.prompts import Example

LooksAt = Literal["weights", "examples", "texts"]
"""The base's weights alone; with training examples; or with texts of several languages."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Evidence:
    """A base with weights, and the text that a run trains on."""

    base: Path
    load: Callable[[], tuple[Any, Any]]  # model and tokenizer; called only by a method that runs the model
    language: str | None = None  # the one to learn, ISO 639-3
    examples: Sequence[Example] = ()
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)  # sentences by language
    rows: int | None = None  # examples, or sentences per language, to look at; default the method's
    max_tokens: int = 512
    report: Progress | None = None


@dataclass(frozen=True)
class Ranking:
    """One score per decoder layer, higher trains first, and what the scores were computed from."""

    scores: tuple[float, ...]
    facts: dict[str, Any]

    def top(self, budget: int) -> tuple[int, ...]:
        """The `budget` layers with the highest scores, in the order of the model; of equal ones the earlier."""
        order = sorted(range(len(self.scores)), key=lambda layer: (-self.scores[layer], layer))
        return tuple(sorted(order[:budget]))


def require(evidence: Evidence | None, method: str, looks_at: LooksAt) -> Evidence:
    """The evidence, where it holds what the method looks at.

    Raises:
        SelectionError: if it does not.
    """
    if evidence is None:
        raise SelectionError(
            f"{method} looks at the base's weights, so the layout alone cannot resolve it",
            "run `cogsym select` with --base, or train with a recipe",
        )
    if looks_at == "examples" and not evidence.examples:
        raise SelectionError(
            f"{method} ranks layers by training examples, and there are none", "give --recipe, or --data FILE"
        )
    if looks_at == "texts" and len(evidence.texts) < 2:
        held = ", ".join(evidence.texts) or "no text"
        raise SelectionError(
            f"{method} compares languages and needs text in two at least, but the data hold {held}",
            "add parallel text, or replay of a language that the base knows",
        )
    return evidence
