"""Looks through every file of a wish before anything trains: what holds it up is told with its lines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from toolkit.auditing import Audit, Finding, audit
from toolkit.corpus.table import DELIMITER, TABLE_SUFFIXES
from toolkit.errors import CorpusError
from toolkit.from_corpus.files import Corpus, look_into
from toolkit.from_corpus.wish import Wish

_PLACES = 5  # named for each finding


def look_through(wish: Wish, tokenizer: Path | None) -> tuple[tuple[Corpus, ...], tuple[Audit, ...]]:
    """What each file to learn from holds, and what is to be said of it.

    Args:
        tokenizer: folder of the base's tokenizer, where it is here.

    Raises:
        CorpusError: if a file cannot be learnt from, with everything that holds it up.
    """
    corpora = tuple(_look(path, wish) for path in wish.data)
    audits = tuple(
        audit(
            corpus.path,
            corpus.languages if corpus.kind == "parallel" else (wish.language,),
            kind=corpus.kind,
            columns=corpus.columns,
            header=corpus.header,
            base=tokenizer,
            tests=() if wish.test is None else (wish.test,),
            on_bad_row=wish.on_bad_row,
            on_leak="drop",  # as the recipe that is drafted says
        )
        for corpus in corpora
    )
    if not wish.force:
        refuse(audits)
    return corpora, audits


def refuse(audits: Iterable[Audit]) -> None:
    """Raise where something stops training.

    Raises:
        CorpusError: naming each such finding with its lines and its fix.
    """
    found = [(one.name, finding) for one in audits for finding in one.stops]
    if found:
        said = "\n".join(f"  - {name}: {_told(finding)}" for name, finding in found)
        raise CorpusError(f"this cannot be learnt from yet:\n{said}", "mend that and give the same command again")


def _told(finding: Finding) -> str:
    places = ", ".join(example.place for example in finding.examples[:_PLACES])
    return f"{finding.message}{f' ({places})' if places else ''} {finding.fix[:1].upper()}{finding.fix[1:]}."


def _look(path: Path, wish: Wish) -> Corpus:
    header = wish.header if path.suffix.lower() in DELIMITER else None
    try:
        return look_into(path, wish.language, other=wish.other, columns=wish.columns, header=header)
    except CorpusError:
        if path.is_file() and path.suffix.lower() in TABLE_SUFFIXES:  # the audit reads on, and may know why
            pair = (wish.language, wish.other or "eng")
            refuse([audit(path, pair, columns=wish.columns, header=header, identifier=None)])
        raise
