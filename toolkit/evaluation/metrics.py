"""Metrics over a whole test set, as sums of statistics per sample, so that resampling costs nothing but additions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from toolkit.corpus.identifier import MAX_CHARACTERS, is_language
from toolkit.errors import EvaluationError
from toolkit.evaluation.bootstrap import RESAMPLES, SEED
from toolkit.evaluation.lm_eval_functions import is_accepted, is_right

# Shapes: N samples, K statistics per sample, C labels.

Sample = Mapping[str, Any]
"""A row of the task with the model's answer."""

RESAMPLED = f"bs:{RESAMPLES}|seed:{SEED}"  # as sacrebleu writes the resampling behind an interval


class Metric(Protocol):
    """A metric of a test set; its score depends on the samples only through a sum over them."""

    @property
    def name(self) -> str:
        """As tables print it."""
        ...

    @property
    def signature(self) -> str:
        """All that is needed to compute score and interval again; complete once `statistics` has been called."""
        ...

    @property
    def lower_is_better(self) -> bool: ...

    @property
    def in_lm_eval(self) -> tuple[str, ...]:
        """Metric and aggregation: lm-eval's names, or functions of `lm_eval_functions`; empty where it has neither."""
        ...

    def statistics(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        """What each sample contributes. (N, K)"""
        ...

    def score(self, sums: Sequence[float]) -> float:
        """The score of a test set whose statistics add up to `sums`. (K,)"""
        ...


class SacrebleuMetric:
    """A metric of sacrebleu, digit for digit, with its own signature. Samples have `hypothesis` and `reference`."""

    lower_is_better = False

    def __init__(self, name: str, implementation: Any, in_lm_eval: tuple[str, str]) -> None:
        self.name = name
        self.in_lm_eval = in_lm_eval
        self._implementation = implementation

    @property
    def signature(self) -> str:
        # The name that sacrebleu itself prints in front of the signature: chrF2++, BLEU.
        prefix = self._implementation._compute_score_from_stats([0] * self._width).name
        signature = self._implementation.get_signature()
        signature.update("bs", RESAMPLES)
        signature.update("seed", str(SEED))
        return f"{prefix}|{signature.format()}"

    def statistics(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        hypotheses = [sample["hypothesis"] for sample in samples]
        references = [sample["reference"] for sample in samples]
        # sacrebleu's own significance tests start from the same method; it has no public name.
        rows = self._implementation._extract_corpus_statistics(hypotheses, [references])
        self._width = len(rows[0])
        return np.asarray(rows, dtype=np.float64)

    def score(self, sums: Sequence[float]) -> float:
        return float(self._implementation._compute_score_from_stats(list(sums)).score)


def translation_metrics(*, spbleu: bool = False) -> list[Metric]:
    """chrF++ (the headline) and BLEU; on request BLEU over the SentencePiece pieces of FLORES-200 too.

    Raises:
        EvaluationError: if spBLEU is asked for, and sacrebleu can neither find nor fetch its SentencePiece model.
    """
    from sacrebleu.metrics import BLEU, CHRF

    # `force` silences the warning about tokenized text; it changes no number.
    metrics: list[Metric] = [
        SacrebleuMetric("chrF++", CHRF(word_order=2), ("chrf++", "chrf++")),
        SacrebleuMetric("BLEU", BLEU(force=True), ("bleu", "bleu")),
    ]
    if spbleu:
        try:
            implementation = BLEU(tokenize="flores200", force=True)
        except (Exception, SystemExit) as error:  # the download fails in several ways, one of which exits
            raise EvaluationError(
                f"spBLEU needs the SentencePiece model of FLORES-200, which could not be fetched: {error}",
                "run it once where there is a network (sacrebleu keeps the model), or leave out `spbleu`",
            ) from error
        metrics.append(SacrebleuMetric("spBLEU", implementation, ("spbleu", "corpus_spbleu")))
    return metrics


@dataclass(frozen=True)
class Share:
    """Share of samples that pass, in percent."""

    name: str
    rule: str  # what passes, as the signature says it
    passes: Callable[[Sample], float]  # 1 or 0
    in_lm_eval: tuple[str, ...]
    caution: str | None = None  # why not to rely on it
    lower_is_better = False

    @property
    def signature(self) -> str:
        return f"{self.name.replace(' ', '_')}|{self.rule}|lm-eval:{version('lm-eval')}|{RESAMPLED}"

    def statistics(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        return _with_ones([float(self.passes(sample)) for sample in samples])

    def score(self, sums: Sequence[float]) -> float:
        return 100 * sums[0] / sums[1]


def accepted_words() -> Share:
    """Answers that are one of the sample's `accepted` words."""

    def passes(sample: Sample) -> float:
        return max(is_accepted([word], [sample["hypothesis"]]) for word in sample["accepted"])

    return Share("accuracy", "any of the accepted words|case:folded", passes, ("is_accepted", "mean"))


def right_choices() -> Share:
    """Samples whose `chosen` option is the `gold` one."""
    return Share("accuracy", "likeliest choice", lambda sample: sample["chosen"] == sample["gold"], ("acc", "mean"))


def language_consistency(language: str, identifier: str, caution: str | None) -> Share:
    """Answers whose `identified` language has one of the sample's `codes` (LinguaMap, arXiv 2601.20009).

    An answer without letters, or in which the identifier knows nothing, is in no language.

    Args:
        language: the one asked for.
        identifier: its signature.
    """
    return Share(
        "language consistency",
        f"{language}|id:{identifier}|chars:{MAX_CHARACTERS}|undecided:inconsistent|script:any",
        lambda sample: is_language(sample["identified"], sample["codes"]),
        ("language_consistency", "mean"),
        caution,
    )


def right_answers(answers_are: Literal["number", "text", "letter"]) -> Share:
    """Free answers that hold what is right, in whatever language they are."""
    rule = {
        "number": "last number equals",
        "text": "holds an accepted text of either language|norm:squad",
        "letter": "first letter standing alone equals",
    }[answers_are]
    return Share(
        "accuracy",
        rule,
        lambda sample: is_right(answers_are, sample["accepted"], sample["hypothesis"]),
        ("accuracy", "mean"),
    )


@dataclass(frozen=True)
class MacroF1:
    """F1 averaged over the labels that occur, in percent; scikit-learn's `f1_score(average="macro")`."""

    labels: tuple[str, ...]
    name = "macro-F1"
    lower_is_better = False
    in_lm_eval = ("f1", "macro_f1")

    @property
    def signature(self) -> str:
        return f"macro-F1|labels:{len(self.labels)}|lm-eval:{version('lm-eval')}|{RESAMPLED}"

    def statistics(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        """One count in the cell (right, chosen) of a confusion matrix. (N, C x C)"""
        size = len(self.labels)
        cells = [sample["gold"] * size + sample["chosen"] for sample in samples]
        return np.eye(size * size)[cells]

    def score(self, sums: Sequence[float]) -> float:
        confusion = np.asarray(sums).reshape(len(self.labels), -1)
        occurring = confusion.sum(axis=0) + confusion.sum(axis=1)
        found = 2 * np.diag(confusion)[occurring > 0] / occurring[occurring > 0]
        return 100 * float(found.mean())


@dataclass(frozen=True)
class BitsPerByte:
    """How many bits the model needs for a byte of UTF-8: comparable between tokenizers."""

    name = "bits per byte"
    lower_is_better = True
    in_lm_eval = ("bits_per_byte", "bits_per_byte")

    @property
    def signature(self) -> str:
        return f"bits_per_byte|lm-eval:{version('lm-eval')}|{RESAMPLED}"

    def statistics(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        return np.array([[sample["loglikelihood"], len(sample["text"].encode())] for sample in samples])

    def score(self, sums: Sequence[float]) -> float:
        return -sums[0] / sums[1] / math.log(2)


@dataclass(frozen=True)
class WordPerplexity:
    """Perplexity per word between white space: comparable between tokenizers, within one language."""

    name = "word perplexity"
    lower_is_better = True
    in_lm_eval = ("word_perplexity", "weighted_perplexity")

    @property
    def signature(self) -> str:
        return f"word_perplexity|lm-eval:{version('lm-eval')}|{RESAMPLED}"

    def statistics(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        return np.array([[each["loglikelihood"], len(re.split(r"\s+", each["text"]))] for each in samples])

    def score(self, sums: Sequence[float]) -> float:
        return math.exp(min(-sums[0] / sums[1], 700.0))  # the largest power that a float holds


@dataclass(frozen=True)
class MeanOfSamples:
    """The mean of a value that another program has worked out for each sample, and that lies in it under `name`."""

    name: str
    of: str  # that program's own signature
    caution: str | None = None  # why not to rely on it
    lower_is_better = False
    in_lm_eval = ()

    @property
    def signature(self) -> str:
        return f"{self.of}|{RESAMPLED}"

    def statistics(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        return _with_ones([sample[self.name] for sample in samples])

    def score(self, sums: Sequence[float]) -> float:
        return sums[0] / sums[1]


def _with_ones(values: Sequence[float]) -> NDArray[np.float64]:
    """Each value beside a count of one, so that their sums give the mean. (N, 2)"""
    return np.column_stack([np.asarray(values, dtype=np.float64), np.ones(len(values))])
