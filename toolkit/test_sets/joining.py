"""A test set that lies in one configuration per language, as FLORES+ does, joined into rows of sentence pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.corpus import Table, open_place
from toolkit.errors import CorpusError
from toolkit.places import Place


def open_joined(place: Place, configs: Mapping[str, str], *, key: str, text: str) -> Table:
    """Rows with the text of each language under its code; a row that one language lacks is left out.

    Args:
        place: a data set on the Hub.
        configs: the configuration of each language.
        key: column that has the same value in all configurations for the same sentence.
        text: column of the sentence.

    Raises:
        CorpusError: if a configuration is missing or lacks a column, a key comes twice, or no row is left.
    """
    sides = {code: _side(place, config, key, text) for code, config in configs.items()}
    first, *others = sides.values()
    common = [each for each in first if all(each in side for side in others)]
    if not common:
        raise CorpusError(
            f"{place.where}: {' and '.join(configs.values())} have no `{key}` in common",
            "check `configs` and the split",
        )

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, each in enumerate(common, start=1):
            yield number, {code: side[each] for code, side in sides.items()}

    return Table(place.where, rows(), "row")


def _side(place: Place, config: str, key: str, text: str) -> dict[Any, Any]:
    """One language's sentences by their key."""
    table = open_place(place.model_copy(update={"config": config})).require((key, text))
    side: dict[Any, Any] = {}
    for number, row in table.rows:
        if row[key] in side:
            raise CorpusError(f"{place.where}, {config}, row {number}: {key} {row[key]!r} comes twice", "name another")
        side[row[key]] = row[text]
    return side
