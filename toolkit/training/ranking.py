"""What it takes to find a ranked selection, which happens before training and on the same device.

Counted are the passes that each method makes over its rows (`toolkit/selection/` has the methods). How long texts are
is not known before they are read; where they are not, they are taken to be as long as the recipe allows.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from toolkit.environment import memory_bytes
from toolkit.pretrained import FLOAT32_SHARE
from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout, looks_at
from toolkit.selection.activations import BATCH
from toolkit.selection.fisher import MEMORY_SHARE, ROWS
from toolkit.selection.neurons import SENTENCES
from toolkit.training.memory import Setup, memory_parts, shape_of
from toolkit.training.pace import Pace, Span

_SPECTRUM_SIDE = 384  # of the matrix whose singular values are timed
_LARGE_MATRICES = 0.25  # share of that time, per operation, that large ones may take
_SENTENCE_SHARE = Span(0.25, 1.0)  # of an example's tokens: an example is a prompt and two sentences, mostly


@dataclass(frozen=True)
class RankingNeeds:
    """What finding the selection takes."""

    bytes: int  # in use at one time
    seconds: Span | None  # None where the pace of the machine is not known
    does: str  # in words


def ranking_needs(
    recipe: Recipe,
    base: Path,
    layout: ModelLayout,
    selection: SelectionInfo,
    setup: Setup,
    pace: Pace | None,
    mean_tokens: float,
    free: int | None,
) -> RankingNeeds | None:
    """What ranking for this recipe takes; None where nothing is ranked.

    Args:
        selection: any that the recipe may turn out to have.
        setup: of training on the same device.
        pace: None where time is not asked for.
        mean_tokens: of a usual example.
        free: bytes of memory.
    """
    looked_at = looks_at(recipe.select, layout)
    if looked_at is None:
        return None
    if looked_at == "weights":
        return _spectra(layout, pace)
    memory = memory_bytes()
    in_float32 = not setup.on_gpu and (memory is None or 4 * layout.n_weights <= FLOAT32_SHARE * memory)
    size = 4 if in_float32 else 2
    if looked_at == "texts":
        return _activations(recipe, base, layout, size, pace, mean_tokens)
    plain = replace(setup, examples=1, frozen_bytes=size, trained_bytes=size, frozen_in_4bit=False, adapter_rank=0)
    parts = memory_parts(shape_of(base), layout, selection, replace(plain, accumulates=False))
    activations = parts.activations + parts.logits
    return _fisher(recipe, layout, size, activations, pace, mean_tokens, free if setup.on_gpu else memory)


def _fisher(
    recipe: Recipe,
    layout: ModelLayout,
    size: int,
    activations: int,
    pace: Pace | None,
    mean_tokens: float,
    memory: int | None,
) -> RankingNeeds:
    """Gradients of every layer, squared and summed in float32 for as many layers at a time as fit."""
    rows = recipe.select_rows or ROWS
    model = layout.n_weights * size
    largest = max(layout.count(names) for names in layout.layers)
    tensor = max(layout.count((name,)) for names in layout.layers for name in names)
    left = math.inf if memory is None else max(0, memory - model)
    at_once = max(1, int(min(layout.n_layers, MEMORY_SHARE * left / (4 * largest))))
    seconds = None
    groups = range(0, layout.n_layers, at_once)
    if pace is not None:
        seconds = Span(0.0, 0.0)
        for first in groups:
            trained = min(at_once, layout.n_layers - first)
            seconds += pace.forward * first + pace.trained * trained + pace.ends
            seconds += pace.through * (layout.n_layers - first - trained)
        seconds *= rows * mean_tokens
    again = "" if len(groups) == 1 else f", {len(groups)} times, for {at_once} layers each"
    return RankingNeeds(
        bytes=model + at_once * 4 * largest + tensor * (size + 4) + activations,
        seconds=seconds,
        does=f"gradients of {rows} examples, one by one{again}",
    )


def _activations(
    recipe: Recipe, base: Path, layout: ModelLayout, size: int, pace: Pace | None, mean_tokens: float
) -> RankingNeeds:
    """Forward passes over sentences of each language."""
    shape = shape_of(base)
    languages = len(_languages(recipe))
    rows = (recipe.select_rows or SENTENCES) * languages
    seconds = None
    if pace is not None:
        per_token = pace.forward * layout.n_layers + Span(pace.ends.least / 3, pace.ends.most)  # there, and not back
        seconds = Span(
            rows * mean_tokens * per_token.least * _SENTENCE_SHARE.least,
            rows * mean_tokens * per_token.most * _SENTENCE_SHARE.most,
        )
    per_token_bytes = shape.vocabulary * size + shape.feed_forward * (5 * size + 1)
    return RankingNeeds(
        bytes=layout.n_weights * size + BATCH * recipe.max_tokens * per_token_bytes,
        seconds=seconds,
        does=f"forward passes over up to {rows:,} sentences in {languages} languages",
    )


def _spectra(layout: ModelLayout, pace: Pace | None) -> RankingNeeds:
    """The singular values of every matrix of every layer, one matrix in memory at a time."""
    shapes = [layout.shapes[name] for names in layout.layers for name in names if len(layout.shapes[name]) == 2]
    seconds = None
    if pace is not None:
        unit = _spectrum_seconds() / _SPECTRUM_SIDE**3
        whole = unit * sum(math.prod(shape) * min(shape) for shape in shapes)
        seconds = Span(whole * _LARGE_MATRICES, whole)
    return RankingNeeds(
        bytes=4 * 4 * max(map(math.prod, shapes)),  # as stored, in float32, and what LAPACK works on
        seconds=seconds,
        does=f"singular values of {len(shapes)} matrices",
    )


def _spectrum_seconds() -> float:
    """What the singular values of one small matrix take here."""
    matrix = torch.rand(_SPECTRUM_SIDE, _SPECTRUM_SIDE, device="cuda" if torch.cuda.is_available() else "cpu")
    torch.linalg.svdvals(matrix)
    started = time.perf_counter()
    torch.linalg.svdvals(matrix).sum().item()
    return time.perf_counter() - started


def _languages(recipe: Recipe) -> set[str]:
    """The languages whose text the data hold, as far as the recipe says."""
    named = {recipe.language}
    for source in (*recipe.data, *recipe.replay):
        named |= {source.language or recipe.language, *source.columns}
        named |= {code for direction in source.directions for code in direction.split(">")}
    return named
