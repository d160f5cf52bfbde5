"""Metrics over a whole test set, as sums of statistics per sentence, so that resampling costs nothing but additions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from toolkit.evaluation.bootstrap import RESAMPLES, SEED

# Shapes: N sentences, K statistics per sentence.


class Metric(Protocol):
    """A corpus-level metric; its score depends on the test set only through a sum over sentences."""

    @property
    def name(self) -> str:
        """As tables print it."""
        ...

    @property
    def signature(self) -> str:
        """All that is needed to compute score and interval again; complete once `statistics` has been called."""
        ...

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
        """What each sentence contributes. (N, K)"""
        ...

    def score(self, sums: Sequence[float]) -> float:
        """The score of a test set whose statistics add up to `sums`. (K,)"""
        ...


class SacrebleuMetric:
    """A metric of sacrebleu, digit for digit, with its own signature."""

    def __init__(self, name: str, implementation: Any) -> None:
        self.name = name
        self._implementation = implementation

    @property
    def signature(self) -> str:
        # The name that sacrebleu itself prints in front of the signature: chrF2++, BLEU.
        prefix = self._implementation._compute_score_from_stats([0] * self._width).name
        signature = self._implementation.get_signature()
        signature.update("bs", RESAMPLES)  # as sacrebleu itself writes the resampling behind an interval
        signature.update("seed", str(SEED))
        return f"{prefix}|{signature.format()}"

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
        # sacrebleu's own significance tests start from the same method; it has no public name.
        rows = self._implementation._extract_corpus_statistics(list(hypotheses), [list(references)])
        self._width = len(rows[0])
        return np.asarray(rows, dtype=np.float64)

    def score(self, sums: Sequence[float]) -> float:
        return float(self._implementation._compute_score_from_stats(list(sums)).score)


def translation_metrics() -> list[Metric]:
    """chrF++ (the headline) and BLEU."""
    from sacrebleu.metrics import BLEU, CHRF

    # `force` silences the warning about tokenized text; it changes no number.
    return [SacrebleuMetric("chrF++", CHRF(word_order=2)), SacrebleuMetric("BLEU", BLEU(force=True))]
