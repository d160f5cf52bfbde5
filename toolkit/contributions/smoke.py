"""Smoke pairs: short sentences with a right translation, against what a model answers.

A right answer can be worded otherwise, so this only sees answers that have nothing to do with the right one. Two
unrelated sentences of one language reach a chrF of 35 in fewer than one of a hundred draws: measured on the training
sentences of NusaX in Javanese, Sundanese, Balinese, Minangkabau and Acehnese, 1,500 draws each, as they are and among
those of at most 40 and 80 characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from toolkit.contributions.report import Item, Seen, Unchecked
from toolkit.corpus import comparable
from toolkit.errors import CogsymError
from toolkit.languages import Language
from toolkit.languages.problems import Problem
from toolkit.run_folder import RunFolder

LEAST_CHRF = 35.0
_SHARE_OF_MEMORY = 0.8  # of what is free, for weights and what translating takes beside them


def check_pairs(file: str, field: str, language: Language, run: RunFolder, base: Path) -> Iterator[Item]:
    """Translate each pair with a model, and compare."""
    if not language.smoke:
        yield Unchecked(field, "what it translates", "the file has no smoke pairs")
        return
    too_large = _too_large(base)
    if too_large:
        yield Unchecked(field, f"{len(language.smoke)} smoke pairs", too_large)
        return
    from sacrebleu import sentence_chrf

    from toolkit.translator import Translator

    try:
        translator = Translator.from_pretrained([run.root], base=base)
    except CogsymError as error:
        yield Problem(file, field, error.message, error.hint or "publish it again")
        return
    served = set(run.read_config().directions)
    for index, pair in enumerate(language.smoke):
        place = f"smoke.{index}"
        if pair.direction not in served:
            yield Unchecked(
                place, f"'{pair.text}'", f"{run.read_config().delta_file} was not trained in {pair.direction}"
            )
            continue
        answer = str(translator.translate(pair.text, pair.direction, model=next(iter(translator.adaptations))))
        chrf = sentence_chrf(answer, [pair.expected]).score
        told = f"'{pair.text}' became '{answer}', and '{pair.expected}' is expected: chrF {chrf:.0f}"
        if comparable(answer) == comparable(pair.text) != comparable(pair.expected):
            yield Problem(file, place, f"the model repeats '{pair.text}'", "see whether it is the right model")
        elif chrf < LEAST_CHRF:
            fix = "mend the pair if the answer is right as well, or choose a sentence that the model knows"
            yield Problem(file, place, f"{told}, under {LEAST_CHRF:.0f}", fix)
        else:
            yield Seen(place, told)


def _too_large(base: Path) -> str | None:
    from toolkit.delta import read_base_info
    from toolkit.environment import free_memory_bytes

    size, free = read_base_info(base).size_bytes, free_memory_bytes()
    if free is None or size <= _SHARE_OF_MEMORY * free:
        return None
    return f"the base takes {size / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} are free"
