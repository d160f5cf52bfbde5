"""What tasks need beside lm-eval: their rows, and metrics that it lacks. Copied to the tasks, so it stands alone."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
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


def expected(document: Mapping[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, tuple[float, int]]:
    """Log-likelihood of the text after its prompt, and its bytes; lm-eval's `process_results`."""
    return {"bits_per_byte": (results[0][0], len(document["text"].encode()))}


def consistency(document: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Whether an answer is in the language asked for, and whether it is right; lm-eval's `process_results`."""
    answer = results[0].strip()
    beside = _identifier_file()
    identifier = _identifier(*beside.find_model())
    if identifier.digest not in document["identifier"]:
        raise RuntimeError(
            f"these tasks were scored with {document['identifier']}, and here is {identifier.signature}: "
            f"name that model's file in the environment variable {beside.VARIABLE}"
        )
    label, _ = identifier(answer)
    return {
        "language_consistency": float(beside.is_language(label, document["codes"])),
        "accuracy": is_right(document["answers_are"], document["accepted"], answer),
    }


@cache
def _identifier_file() -> Any:
    """The file `identifier.py` beside this one, as a module; lm-eval does not put its folder on the path."""
    spec = spec_from_file_location("identifier", Path(__file__).with_name("identifier.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _identifier(path: Path, name: str) -> Any:
    return _identifier_file().Identifier(path, name)


def is_right(answers_are: str, accepted: Sequence[str], answer: str) -> float:
    """1.0 for an answer whose last number is the right one, that holds an accepted text, or whose letter is right.

    Numbers may have commas, points or spaces between thousands. Texts are compared as SQuAD does, without case,
    punctuation and English articles, as whole words; in scripts without spaces, as characters. The letter of an option
    is the first capital that stands alone.
    """
    if answers_are == "number":
        return float(float(accepted[0]) in last_number(answer))
    if answers_are == "letter":
        found = re.search(r"(?<![\dA-Za-zÀ-ɏ])[A-J](?![\dA-Za-zÀ-ɏ])", answer)
        return float(found is not None and found[0] in accepted)
    words = f" {' '.join(plain_words(answer))} "
    return float(any(f" {' '.join(plain_words(text))} " in words for text in accepted if plain_words(text)))


_NUMBER = re.compile(r"(?:(?<!\w)[-−])?\d+(?:[.,'’\u00a0\u202f ]\d+)*")
_POINTED = re.compile(r"(\d+|\d{1,3}(?:[,'’\u00a0\u202f ]\d{3})+)(?:\.(\d+))?")  # 1,234.5
_COMMAED = re.compile(r"(\d+|\d{1,3}(?:[.'’\u00a0\u202f ]\d{3})+)(?:,(\d+))?")  # 1.234,5


def last_number(text: str) -> set[float]:
    """What the last number in a text may mean: `1.234` is read both ways; empty where there is none."""
    found = _NUMBER.findall(text)
    if not found:
        return set()
    sign = -1.0 if found[-1][0] in "-−" else 1.0
    number = found[-1].lstrip("-−")
    written = (number, number.split(" ")[-1])  # a space may stand between thousands, or between numbers
    readings = [pattern.fullmatch(each) for pattern in (_POINTED, _COMMAED) for each in written]
    return {sign * float(re.sub(r"\D", "", each[1]) + "." + (each[2] or "0")) for each in readings if each}


# Han, kana, and the scripts of Southeast Asia that write no spaces, Javanese among them.
_UNSPACED = re.compile(
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\ua980-\ua9df\uf900-\ufaff])"
)
_ARTICLES = {"a", "an", "the"}


def plain_words(text: str) -> list[str]:
    """Words without case, punctuation and English articles; characters of scripts without spaces are words."""
    folded = unicodedata.normalize("NFC", text).casefold()
    kept = "".join(character if unicodedata.category(character)[0] in "LMN" else " " for character in folded)
    return [word for word in _UNSPACED.sub(r" \1 ", kept).split() if word not in _ARTICLES]
