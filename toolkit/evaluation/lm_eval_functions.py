"""What tasks need beside lm-eval: their rows, and metrics that it lacks. Copied to the tasks, so it stands alone."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def load(file: str, **_: Any) -> dict[str, Any]:
    """The rows of `file` as the split `test`; lm-eval calls this with the task's `dataset_kwargs` and metadata."""
    from datasets import Dataset

    with (Path(__file__).parent / file).open(encoding="utf-8") as lines:
        return {"test": Dataset.from_list([json.loads(line) for line in lines])}


def is_accepted(references: Sequence[str], predictions: Sequence[str]) -> float:
    """1.0 if the answer is this word, whatever its case; lm-eval asks for each accepted word in turn."""
    return float(word_form(predictions[0]) == word_form(references[0]))


def word_form(text: str) -> str:
    """The form in which words are compared: composed (NFC), without case and surrounding space or punctuation."""
    return unicodedata.normalize("NFC", text).strip(" \t\"'.,;:!?“”„«»。").casefold()


def macro_f1(pairs: Sequence[tuple[int, int]]) -> float:
    """F1 averaged over the labels that occur, each counted once however frequent; from pairs (right, chosen)."""
    from sklearn.metrics import f1_score

    right, chosen = zip(*pairs, strict=True)
    return float(f1_score(right, chosen, average="macro"))


def spbleu(references: Sequence[str], predictions: Sequence[str]) -> tuple[str, str]:
    """The pair, kept until the whole test set is there."""
    return references[0], predictions[0]


def corpus_spbleu(pairs: Sequence[tuple[str, str]]) -> float:
    """BLEU over the SentencePiece pieces of FLORES-200 (Goyal et al. 2022)."""
    from sacrebleu.metrics import BLEU

    references, predictions = zip(*pairs, strict=True)
    return float(BLEU(tokenize="flores200").corpus_score(predictions, [references]).score)
