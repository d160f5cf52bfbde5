"""Has COMET judge translations that were made: one model in memory, a value per sentence kept in the samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from toolkit.errors import EvaluationError
from toolkit.evaluation.comet import CometScorer
from toolkit.evaluation.evaluated import MODELS, Draws, Evaluated
from toolkit.evaluation.metrics import Sample

JudgingReport = Callable[[str, int], None]
"""Called with what is being done, and the number of sentences of each finished batch."""


def judge_by_comet(
    evaluations: Sequence[tuple[Evaluated, Sequence[Draws]]], model: str, report: JudgingReport | None = None
) -> None:
    """Let COMET judge every translation that this model of it has not judged yet.

    Args:
        model: Hub id, folder or `.ckpt` file.

    Raises:
        EvaluationError: if COMET is not installed, or its model is missing or fails; all other scores are kept.
    """

    def tell(words: str, number: int = 0) -> None:
        if report:
            report(words, number)

    scorer = CometScorer(model, stage=tell)
    with ExitStack() as stack:
        loaded = False

        def score(samples: Sequence[Sample]) -> tuple[tuple[float, ...], str]:
            nonlocal loaded
            if not loaded:
                stack.enter_context(scorer)
                loaded = True
            segments = [(sample["source"], sample["hypothesis"], sample["reference"]) for sample in samples]
            scores = scorer.score(segments, report=lambda number: tell("sentences judged by COMET", number))
            return scores.values, scores.signature

        try:
            for evaluated, tests in evaluations:
                for draws in tests:
                    if draws[0].kind == "translation":
                        for name in MODELS:
                            evaluated.judge(name, draws, scorer.model.metric, f"model:{scorer.model.name}", score)
        except EvaluationError as error:
            raise EvaluationError(f"{error.message}; all other scores are kept", error.hint) from error
