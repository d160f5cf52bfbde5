"""The sentences of the phrasebook, drawn from the grammar and split so that no sentence is in two splits."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from toolkit.errors import CorpusError
from toolkit.pocket.grammar import fill, patterns
from toolkit.pocket.lexicon import LANGUAGES
from toolkit.pocket.slots import Chooser

SPLITS = ("train", "dev", "test")
SENTENCES_PER_SHARE = 700
TRIES_PER_SENTENCE = 4  # a small pattern runs dry sooner than its share
HELD_OUT = {0: "test", 1: "dev"}  # of 40 parts; the rest is for training


def sentences(split: str) -> list[dict[str, str]]:
    """The sentences of one split, each with its text in `eng`, `ind`, `jav` and `sun`; always the same, in one order.

    Raises:
        CorpusError: if the split is none of train, dev and test.
    """
    if split not in SPLITS:
        raise CorpusError(f"the pocket corpus has no split '{split}'", f"use one of: {', '.join(SPLITS)}")
    return [dict(sentence) for sentence in _splits()[split]]


def write_corpus(folder: Path) -> dict[str, Path]:
    """Write train.tsv, dev.tsv and test.tsv (UTF-8, tab separated, header `eng ind jav sun`); return their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {split: folder / f"{split}.tsv" for split in SPLITS}
    for split, path in paths.items():
        rows = [LANGUAGES, *([row[code] for code in LANGUAGES] for row in sentences(split))]
        path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8", newline="\n")
    return paths


@cache
def _splits() -> dict[str, list[dict[str, str]]]:
    drawn = _draw()
    drawn.sort(key=lambda sentence: _digest(sentence["eng"]))  # patterns mixed, so that any first N are a fair sample
    splits: dict[str, list[dict[str, str]]] = {split: [] for split in SPLITS}
    for sentence in drawn:
        splits[HELD_OUT.get(int(_digest("split " + sentence["eng"]), 16) % 40, "train")].append(sentence)
    return splits


def _draw() -> list[dict[str, str]]:
    """Distinct sentences: in each language no text occurs twice, so a split cannot share one with another."""
    seen: dict[str, set[str]] = {language: set() for language in LANGUAGES}
    drawn = []
    choose = Chooser("the pocket phrasebook")
    for pattern in patterns():
        wanted = round(SENTENCES_PER_SHARE * pattern.share)
        for _ in range(wanted * TRIES_PER_SENTENCE):
            sentence = fill(pattern, choose)
            if any(text in seen[language] for language, text in sentence.items()):
                continue
            for language, text in sentence.items():
                seen[language].add(text)
            drawn.append(sentence)
            wanted -= 1
            if not wanted:
                break
    return drawn


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
