"""How long training takes: what each pass costs, layer by layer, over what this machine was seen to do.

A token costs two operations per weight of every matrix on the way forward, two more on the way back through each layer
above the lowest that trains, and two more for the gradient of each weight that trains (Kaplan et al. 2020,
arXiv 2001.08361). Attention adds its two products of T x T. Checkpointing runs the layers once more.

Where the parts can be run here, `pace.py` has timed them, and this adds them up. Elsewhere the operations are all there
is, and how many a card does in a second has to be assumed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.pretrained import has_tokenizer
from toolkit.prompts import Example
from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout
from toolkit.tokens import example_ids
from toolkit.training.gathering import TEXT
from toolkit.training.memory import Setup, Shape, trained_counts
from toolkit.training.pace import Pace, Span

_SAMPLED_EXAMPLES = 200
# Most whole steps took 1.0 to 1.3 times the sum of their parts in tests/benchmarks/plan, on a CPU: memory that is asked
# for anew, and caches that hold one layer and not all.
BEYOND_PARTS = Span(1.0, 1.3)
# Operations per second that cards are assumed to reach in training in 16 bits: from 30% of what the data sheet of the
# slowest usual card of that size promises for matrices to 60% of the fastest. Not measured here.
SMALL_CARD = Span(20e12, 100e12)  # up to 32 GiB: RTX 3090 and A10G (70e12 promised) to RTX 4090 (165e12)
LARGE_CARD = Span(50e12, 600e12)  # RTX A6000 (155e12), A100 (312e12) to H100 (989e12)
_LARGE_BYTES = 32 * 2**30


@dataclass(frozen=True)
class TimeEstimate:
    """Seconds from the least to the most, and what that rests on."""

    step: Span  # one optimiser step, the mean over the phases
    whole: Span | None  # all steps of all phases; None where their number is not known
    measured: bool  # on this machine; else assumed of a card
    assumes: str


def step_seconds(pace: Pace, layout: ModelLayout, selection: SelectionInfo, setup: Setup, passes: int) -> Span:
    """One optimiser step, added up from its parts.

    Args:
        setup: `tokens` are those of a usual example.
        passes: forward passes per step of one process.
    """
    sizes = [layout.count(names) for names in layout.layers]
    usual = sizes[selection.layers[0]] if selection.layers else sizes[0]  # the size of layer that was timed
    lowest = 0 if selection.embeddings else min(selection.layers, default=layout.n_layers)
    seconds = pace.trained_ends if selection.head and not setup.adapter_rank else pace.ends
    for index, size in enumerate(sizes):
        layer = pace.through if index >= lowest else pace.forward
        if index in selection.layers:
            layer = pace.trained
        if setup.gradient_checkpointing and index >= lowest:
            layer += pace.forward
        seconds += layer * (size / usual)
    seconds *= setup.examples * setup.tokens
    if selection.embeddings and not setup.adapter_rank:
        seconds += pace.embeddings
    seconds = seconds * passes + pace.update * sum(trained_counts(layout, selection, setup).values())
    return Span(seconds.least * BEYOND_PARTS.least, seconds.most * BEYOND_PARTS.most) + pace.step


def assumed_seconds(flops: float, card_bytes: int) -> Span:
    """So many operations on a card with this much memory, of which nothing else is known."""
    rates = LARGE_CARD if card_bytes > _LARGE_BYTES else SMALL_CARD
    return Span(flops / rates.most, flops / rates.least)


def around(spans: Iterable[Span]) -> Span:
    """From the least of all to the most of all."""
    spans = list(spans)
    return Span(min(span.least for span in spans), max(span.most for span in spans))


def flops_per_token(shape: Shape, layout: ModelLayout, selection: SelectionInfo, setup: Setup) -> float:
    """Floating-point operations that training spends on one token."""

    def matrices(names: tuple[str, ...]) -> int:
        return sum(math.prod(layout.shapes[name]) for name in names if len(layout.shapes[name]) > 1)

    layers = [matrices(names) for names in layout.layers]
    head = math.prod(layout.shapes[layout.head])
    attention = 2 * 2 * setup.tokens * shape.queries
    lowest = 0 if selection.embeddings else min(selection.layers, default=layout.n_layers)
    counts = trained_counts(layout, selection, setup)
    if not layout.tied:
        counts.pop(layout.embeddings, None)  # looked up, not multiplied
    forward = 2.0 * (sum(layers) + head) + attention * len(layers)
    through = 2.0 * (sum(layers[lowest:]) + head) + 2 * attention * len(layers[lowest:])
    trained = 2.0 * sum(count for name, count in counts.items() if len(layout.shapes[name]) > 1)
    again = 2.0 * sum(layers[lowest:]) + attention * len(layers[lowest:]) if setup.gradient_checkpointing else 0.0
    return forward + through + trained + again


def number_and_length(base: Path, examples: Sequence[Example], max_tokens: int) -> tuple[int, float]:
    """How many examples will be trained on, and their mean number of tokens, from some that are spread over all.

    Text is packed to `max_tokens`; what is longer otherwise is left out. Of a base whose tokenizer is not here, every
    example counts, as long as they may be.
    """
    from transformers import AutoTokenizer

    if not has_tokenizer(base):
        return len(examples), max_tokens
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    sample = [examples[number] for number in range(0, len(examples), -(-len(examples) // _SAMPLED_EXAMPLES))]
    number, tokens = 0.0, 0
    for example in sample:
        length = len(example_ids(tokenizer, example)[0])
        if example.group == TEXT:
            number += length / max_tokens
            tokens += length
        elif length <= max_tokens:
            number += 1
            tokens += length
    if not number:
        return 0, max_tokens
    return max(1, round(number * len(examples) / len(sample))), tokens / number
