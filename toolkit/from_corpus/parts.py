"""The parts of a recipe that come from a person's files: what teaches, what is tested on, what is replayed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.corpus.splitting import Split, split_corpus
from toolkit.errors import CorpusError
from toolkit.from_corpus.files import Corpus, look_into
from toolkit.from_corpus.wish import Wish

DATA = "data"
SHOTS = 2  # worked examples for a base that was trained on text alone
_POCKET = "pocket"
_POCKET_ROWS, _POCKET_TEST_ROWS = 3000, 200  # as in the recipes of the pocket


@dataclass(frozen=True)
class Parts:
    """Fields of a recipe, and how rows were kept for testing."""

    data: list[dict[str, Any]]
    replay: list[dict[str, Any]]
    evaluation: list[dict[str, Any]]
    split: Split | None  # of the first file of pairs; None where the test set is a person's own


def parts_of(wish: Wish, corpora: tuple[Corpus, ...], folder: Path, *, answer_tokens: int, shots: bool) -> Parts:
    """Split what has to be split into `data/` of this folder, and name everything as a recipe beside it does.

    Args:
        answer_tokens: the longest answer to a sentence of a test set.
        shots: whether the base is to see worked examples in front of each test sentence.

    Raises:
        CorpusError: if a file cannot be split, or nothing could be tested on.
    """
    asked = {"max_new_tokens": answer_tokens}
    data = [_teaching(corpus, wish) for corpus in corpora]
    replay, known = _replay(wish, folder, asked)
    if wish.test is not None:
        return Parts(data, replay, [_own_test(wish, wish.test, asked), *known], None)
    number = next((number for number, corpus in enumerate(corpora) if corpus.kind == "parallel"), None)
    if number is None:
        raise CorpusError(
            "there are no sentence pairs to keep some for testing",
            "give pairs to test with: --test FILE, with a column for each of two languages",
        )
    pairs = corpora[number]
    split = split_corpus(
        pairs.path,
        folder / DATA,
        pairs.languages,
        columns=pairs.columns,
        header=pairs.header,
        on_bad_row=wish.on_bad_row,
    )
    train = split.train.relative_to(folder).as_posix()
    data[number] = {name: value for name, value in data[number].items() if name != "header"}
    data[number] |= {"path": train, "columns": {}}
    test = asked | {"path": split.test.relative_to(folder).as_posix(), "name": pairs.path.stem}
    if shots:
        test |= {"shots": SHOTS, "shots_path": train}
    return Parts(data, replay, [test | {"directions": _both_ways(pairs)}, *known], split)


def _teaching(corpus: Corpus, wish: Wish) -> dict[str, Any]:
    fields: dict[str, Any] = {"path": str(corpus.path.resolve()), "kind": corpus.kind, "columns": corpus.columns}
    if corpus.kind == "parallel":
        fields["directions"] = _both_ways(corpus)
    if corpus.header is not None:
        fields["header"] = list(corpus.header)
    if wish.on_bad_row != "stop":
        fields["on_bad_row"] = wish.on_bad_row
    return fields | ({"licence": wish.licence} if wish.licence else {})


def _own_test(wish: Wish, path: Path, asked: dict[str, Any]) -> dict[str, Any]:
    test = look_into(path, wish.language, other=wish.other, columns=wish.columns)
    if test.kind != "parallel":
        raise CorpusError(f"{path.name} holds no sentence pairs to test with", "give a file of pairs")
    place = {"path": str(path.resolve()), "name": path.stem, "columns": test.columns, "directions": _both_ways(test)}
    return asked | place


def _replay(wish: Wish, folder: Path, asked: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What keeps the languages that the base knows, and what shows whether they are kept."""
    if not wish.replay and wish.base == _POCKET:
        return _pocket_replay(folder, asked)
    sources: list[dict[str, Any]] = []
    tests: list[dict[str, Any]] = []
    for number, known in enumerate(wish.replay, start=1):
        path = known.path
        corpus = look_into(path, None)
        if corpus.kind != "parallel":
            sources.append({"path": str(path.resolve()), "kind": corpus.kind, "language": known.language})
            continue
        split = split_corpus(path, folder / DATA / f"known-{number}", corpus.languages, columns=corpus.columns)
        train, test = (file.relative_to(folder).as_posix() for file in (split.train, split.test))
        sources.append({"path": train, "directions": _both_ways(corpus)})
        name = path.stem if len(wish.replay) == 1 else f"{path.stem} {number}"  # files of two folders may share a name
        tests.append({**asked, "path": test, "name": name, "directions": _both_ways(corpus)})
    return sources, tests


def _pocket_replay(folder: Path, asked: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The pocket brings the sentences that it was trained on."""
    from toolkit import pocket

    written = pocket.write_corpus(folder / DATA / "known")
    train, test = (written[split].relative_to(folder).as_posix() for split in ("train", "test"))
    source: dict[str, Any] = {"path": train, "limit": _POCKET_ROWS, "directions": ["eng>ind", "ind>eng"]}
    source |= {"licence": "cc0-1.0", "origin": "phrasebook"}
    tested = asked | {"path": test, "name": "pocket phrasebook", "limit": _POCKET_TEST_ROWS}
    return [source], [tested | {"directions": ["eng>ind"]}]


def _both_ways(corpus: Corpus) -> list[str]:
    learnt, other = corpus.languages
    return [f"{other}>{learnt}", f"{learnt}>{other}"]
