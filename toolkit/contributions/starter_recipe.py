"""A recipe to begin with for a language of which there is one file of sentence pairs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.contributions.house_yaml import yaml_text
from toolkit.corpus.splitting import Split, split_corpus
from toolkit.corpus.writing import write_new
from toolkit.errors import CogsymError, CorpusError
from toolkit.languages import get_language
from toolkit.languages.licences import LICENCES, nearest_licence
from toolkit.recipe import read_recipe

DATA = "data"
DEFAULT_BASE = "meta-llama/Llama-2-7b-hf"
_LARGE = 10**9  # weights, where the base is out of reach
_SHOTS = 2  # a base that is no chat model is shown what is wanted


@dataclass(frozen=True)
class Starter:
    """The recipe that was written, and the files that its rows went to."""

    recipe: Path
    split: Split


def write_starter(
    source: Path,
    language: str,
    folder: Path,
    *,
    base: str = DEFAULT_BASE,
    other: str | None = None,
    columns: Mapping[str, str] | None = None,
    test_rows: int | None = None,
    licence: str | None = None,
    origin: str | None = None,
) -> Starter:
    """Split a file of sentence pairs into `data/` of a folder, and write `CODE-recipe.yaml` beside it.

    Args:
        source: see `split_corpus`.
        language: ISO 639-3 code of the language to learn; it must be known.
        base: `pocket`, a folder, or a Hub id.
        other: the language on the other side; default as the columns say.
        columns: column of each language; default found by their names.
        test_rows: see `split_corpus`.
        licence: of the data, as the card will print it.
        origin: of the data, as in a recipe.

    Raises:
        CorpusError: if the file cannot be used, or its licence is none that the Hub knows.
        OutputError: if something else is there under one of the names.
    """
    from toolkit.from_corpus.defaults import answer_tokens, usual_fields, wants_examples
    from toolkit.from_corpus.files import look_into

    if licence is not None and licence not in LICENCES:
        near = nearest_licence(licence)
        hint = f"did you mean {near}?" if near else "use the Hub's tag, e.g. cc-by-4.0, or leave it out"
        raise CorpusError(f"'{licence}' is no licence that the Hub knows", hint)
    corpus = look_into(source, language, other=other, columns=columns)
    if corpus.kind != "parallel":
        raise CorpusError(
            f"{source.name} holds no sentence pairs",
            "write a recipe by hand: `cogsym recipes llama-2-7b-jav > my.yaml`",
        )
    split = split_corpus(source, folder / DATA, corpus.languages, columns=corpus.columns, test_rows=test_rows)
    weights = _weights(base)
    second = next(code for code in corpus.languages if code != language)
    directions = [f"{second}>{language}", f"{language}>{second}"]
    train, test = (f"{DATA}/{file.name}" for file in (split.train, split.test))
    facts = {"licence": licence, "origin": origin}
    taught = {"path": train, "directions": directions, **{key: value for key, value in facts.items() if value}}
    tested: dict[str, Any] = {"path": test, "name": source.stem, "directions": directions}
    if wants_examples(weights):
        tested |= {"shots": _SHOTS, "shots_path": train}
    tested["max_new_tokens"] = answer_tokens(weights)
    usual = usual_fields(base, weights, split.train_rows, on_gpu=True)
    beginning = {"language": language, "base": base, "base_revision": usual.pop("base_revision", None)}
    fields = {key: value for key, value in beginning.items() if value} | {"select": usual.pop("select")}
    fields |= {"data": [taught], "evaluation": [tested]} | usual
    path = folder / f"{language}-recipe.yaml"
    write_new(path, [_opening(path.name, source.name, language, base, split), yaml_text(fields)])
    read_recipe(path)
    return Starter(path, split)


def _opening(recipe: str, source: str, language: str, base: str, split: Split) -> str:
    return f"""\
# cogsym train --recipe {recipe} --out runs/{language}
#
# {get_language(language).names.english} on {base}. The rows of {source}: {split.train_rows:,} to learn from in \
{DATA}/{split.train.name},
# {split.test_rows:,} to test on in {DATA}/{split.test.name}; no sentence is in both. Everything below can be changed; \
the numbers are a
# beginning, not the best for your language. First see whether your machine is enough: cogsym plan --recipe {recipe}
# Afterwards: cogsym evaluate runs/{language}; cogsym card runs/{language}; cogsym publish runs/{language} ORG/NAME
"""


def _weights(base: str) -> int:
    from toolkit.pretrained import resolve_config
    from toolkit.selection import read_layout

    with suppress(CogsymError):
        return read_layout(resolve_config(base)).n_weights
    return _LARGE
