"""A draft: the corpus checked and split, the recipe written, and what it needs, before anything trains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.adaptation import carry_languages
from toolkit.auditing import Audit
from toolkit.corpus.splitting import Split
from toolkit.errors import LanguageError
from toolkit.from_corpus.defaults import answer_tokens, usual_fields, wants_examples
from toolkit.from_corpus.looking import look_through
from toolkit.from_corpus.parts import parts_of
from toolkit.from_corpus.wish import Wish
from toolkit.languages import Language, all_languages, get_language
from toolkit.languages.checking import check_language_file
from toolkit.languages.registry import CARRIED, own_file
from toolkit.recipe import Recipe, make_recipe, read_recipe, write_recipe
from toolkit.records import SelectionInfo

if TYPE_CHECKING:
    from toolkit.selection import ModelLayout
    from toolkit.training import Mixture, Requirements

RECIPE = "recipe.yaml"


@dataclass(frozen=True)
class Draft:
    """Everything that is decided, in a folder that holds `data/` and `recipe.yaml`."""

    folder: Path
    recipe: Recipe
    audits: tuple[Audit, ...]  # of each file to learn from
    split: Split | None  # None where the test set is a person's own
    mixture: Mixture
    selection: SelectionInfo | None  # None where it is found from base or data when training starts
    needs: Requirements  # the most that the selection may turn out to need


def draft(wish: Wish, folder: Path, *, card_bytes: int | None = None) -> Draft:
    """Check the files, keep some rows for testing, write the recipe, and plan it.

    Of the base only its config is read, so that one that is not here yet is not downloaded for that.

    Args:
        folder: where to write; nothing is written anywhere else.
        card_bytes: plan for a GPU with this much memory instead of for this machine.

    Raises:
        CorpusError: if a file cannot be used; with the line where that is known.
        CogsymError: if anything else that is named cannot be.
    """
    from toolkit.pretrained import has_tokenizer, resolve_config
    from toolkit.selection import read_layout
    from toolkit.training import mix, refuse_repetition

    language = _language(wish.language)
    for code in (wish.other, *wish.columns):  # so that a wrong code is told before a missing column
        get_language(code or wish.language)
    config = resolve_config(wish.base, wish.base_revision)
    layout = read_layout(config)
    corpora, audits = look_through(wish, config if has_tokenizer(config) else None)
    weights = layout.n_weights
    parts = parts_of(wish, corpora, folder, answer_tokens=answer_tokens(weights), shots=wants_examples(weights))
    on_gpu = card_bytes is not None or _has_gpu()
    fields: dict[str, Any] = {"language": language.code, "base": _absolute(wish.base)}
    fields |= usual_fields(wish.base, weights, sum(map(_lines, wish.data)), on_gpu=on_gpu)
    fields |= {field: value for field, value in _chosen(wish).items() if value is not None}
    fields |= {"data": parts.data, "replay": parts.replay, "evaluation": parts.evaluation, "on_leak": "drop"}
    write_recipe(make_recipe(fields), folder / RECIPE, opening=f"cogsym train --recipe {RECIPE} --out again")
    recipe = read_recipe(folder / RECIPE)
    carry_languages(recipe, folder / CARRIED)
    mixture = mix(recipe)
    refuse_repetition(mixture)
    selection, needs = _plan(recipe, layout, mixture, card_bytes)
    return Draft(folder, recipe, audits, parts.split, mixture, selection, needs)


def _language(code: str) -> Language:
    """The language to learn; one of a person's own is checked, because training is long and publishing comes last."""
    language, file = get_language(code), own_file(code)
    problems = check_language_file(file, all_languages()) if file else []
    if problems:
        first, *others = problems
        more = f"; {len(others)} more: `cogsym languages check {file}`" if others else ""
        raise LanguageError(str(first), first.fix + more)
    return language


def _chosen(wish: Wish) -> dict[str, Any]:
    return {"select": wish.select, "max_steps": wish.steps, "base_revision": wish.base_revision}


def _plan(
    recipe: Recipe, layout: ModelLayout, mixture: Mixture, card_bytes: int | None
) -> tuple[SelectionInfo | None, Requirements]:
    from toolkit.selection import possible_selections
    from toolkit.training import preflight, requirements_of

    first, *_ = possible_selections(recipe, layout)
    if card_bytes is None:
        preflight(recipe, first, layout)
    needs = requirements_of(recipe, examples=mixture.examples, card_bytes=card_bytes)
    return (first if needs.ranking is None else None), needs


def _absolute(base: str) -> str:
    folder = Path(base).expanduser()
    return str(folder.resolve()) if folder.is_dir() else base


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _lines(path: Path) -> int:
    """About how many rows a file has: enough to tell a few thousand from many."""
    with path.open("rb") as file:
        return sum(1 for _ in file)
