"""Selections by language-specific neurons: the layers with the most of them, or the neurons themselves."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toolkit.errors import SelectionError
from toolkit.selection.activations import activation_rates
from toolkit.selection.choice import Choice, by_layer
from toolkit.selection.evidence import Evidence, Ranking
from toolkit.selection.feed_forward import FeedForward, feed_forwards
from toolkit.selection.lape import neurons_of, specific_neurons, threshold
from toolkit.selection.layout import ModelLayout

SENTENCES = 1000  # per language; the papers count on far more text than a low-resource language has


def rank_by_neurons(layout: ModelLayout, evidence: Evidence, seed: int) -> Ranking:
    """The number of neurons in each layer that are specific to any of the languages (LSN count).

    Raises:
        SelectionError: if no neuron passes the threshold.
    """
    blocks = feed_forwards(layout)
    rates, facts = _measure(blocks, evidence, seed)
    found = by_layer(_places(specific_neurons(rates), blocks))
    if not found:
        raise SelectionError("no neuron is specific to a language in this text", "give more text in each language")
    return Ranking(tuple(float(len(found.get(layer, ()))) for layer in range(layout.n_layers)), facts)


def choose_subnetwork(layout: ModelLayout, share: float, evidence: Evidence, seed: int) -> Choice:
    """The neurons of the language to learn, the most specific first, up to a share of all weights; at least one.

    Where the language has fewer neurons of its own, all of them (language-specific subnetworks, arXiv 2510.13580).

    Raises:
        SelectionError: if the data hold no text in the language, or it has no neuron.
    """
    blocks = feed_forwards(layout)
    languages = sorted(evidence.texts)
    if evidence.language not in languages:
        raise SelectionError(
            f"subnetwork needs text in the language to learn, {evidence.language}; the data hold "
            f"{', '.join(languages)}",
            "name its column and directions in `data:`",
        )
    rates, facts = _measure(blocks, evidence, seed)
    ranked = _places(neurons_of(rates, languages.index(evidence.language)), blocks)
    if not ranked:
        raise SelectionError(f"no neuron is specific to {evidence.language} in this text", "give more text")
    spent = np.cumsum([blocks[layer].neuron_weights for layer, _ in ranked])
    affordable = max(1, int(np.searchsorted(spent, share * layout.n_weights, side="right")))
    neurons = by_layer(ranked[:affordable])
    return Choice(
        tuple(neurons), neurons=neurons, facts=facts | {"language": evidence.language, "active_neurons": len(ranked)}
    )


def _measure(blocks: Sequence[FeedForward], evidence: Evidence, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Activation rates, a row per language in the order of codes, and what they were computed from."""
    texts = _draw(evidence.texts, evidence.rows or SENTENCES, seed)
    model, tokenizer = evidence.load()
    rates, tokens = activation_rates(
        model, tokenizer, texts, blocks, max_tokens=evidence.max_tokens, report=evidence.report
    )
    facts = {
        "sentences": {language: len(sentences) for language, sentences in texts.items()},
        "tokens": tokens,
        "max_tokens": evidence.max_tokens,
        "seed": seed,
        "threshold": threshold(rates),
        "fingerprint": hashlib.sha256(json.dumps(texts, ensure_ascii=False).encode()).hexdigest(),
    }
    return rates, facts


def _draw(texts: Mapping[str, Sequence[str]], wanted: int, seed: int) -> dict[str, list[str]]:
    """Sentences of each language, drawn without repetition; a language's draw does not depend on the others."""
    drawn = {}
    for language in sorted(texts):
        distinct = list(dict.fromkeys(texts[language]))
        drawn[language] = random.Random(f"{seed} {language}").sample(distinct, min(wanted, len(distinct)))
    return drawn


def _places(neurons: np.ndarray, blocks: Sequence[FeedForward]) -> list[tuple[int, int]]:
    """(layer, index in the layer) of neurons that are counted over the whole model."""
    starts = np.cumsum([0, *(block.n_neurons for block in blocks)])
    layers = np.searchsorted(starts, neurons, side="right") - 1
    return [(int(layer), int(neuron - starts[layer])) for layer, neuron in zip(layers, neurons, strict=True)]
