"""How much each layer matters to the training examples: the diagonal of the empirical Fisher information.

F = mean over N examples of (d log p(y|x) / d theta)^2, with y the completion of x; a layer's score is the sum over its
parameters of the Frobenius norm of F (Lodha et al. 2023). log p(y|x) is the sum over the completion's tokens: neither
a mean, nor a logit before the softmax.

T tokens of one example, V words of the vocabulary.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence
from typing import Any

import torch

from toolkit.environment import free_card_bytes, memory_bytes
from toolkit.errors import BaseModelError, SelectionError
from toolkit.selection.evidence import Evidence, Progress, Ranking
from toolkit.selection.layout import ModelLayout
from toolkit.tokens import example_ids

ROWS = 250
MEMORY_SHARE = 0.5  # of what is free, for F of the layers that are measured at a time

Tokens = tuple[list[int], int]
"""Ids of an example, and how many of them are the prompt."""


def rank_by_fisher(layout: ModelLayout, evidence: Evidence, seed: int) -> Ranking:
    """Score each layer on `evidence.rows` examples drawn without repetition, 250 unless given; fewer if there are.

    Raises:
        SelectionError: if all examples are too long.
        BaseModelError: if a gradient is not finite.
    """
    model, tokenizer = evidence.load()
    rows, too_long = _draw(tokenizer, evidence, evidence.rows or ROWS, seed)
    scores = layer_scores(model, rows, layout.layers, report=evidence.report)
    for layer, score in enumerate(scores):
        if not math.isfinite(score):
            raise BaseModelError(
                f"the Fisher information of layer {layer} is {score}", "check the base, or choose layers by position"
            )
    facts = {
        "rows": len(rows),
        "of": len(evidence.examples),
        "too_long": too_long,
        "max_tokens": evidence.max_tokens,
        "seed": seed,
        "fingerprint": hashlib.sha256(json.dumps(rows).encode()).hexdigest(),
        "dtype": str(model.dtype).removeprefix("torch."),
    }
    return Ranking(tuple(scores), facts)


def layer_scores(
    model: Any,
    rows: Sequence[Tokens],
    layers: Sequence[Sequence[str]],
    *,
    layers_at_once: int | None = None,
    report: Progress | None = None,
) -> list[float]:
    """Sum of the Frobenius norms of F over each layer's parameters.

    A gradient is squared, added and dropped as soon as it is there, so one example's gradients never lie in memory
    together. F itself must, in float32; where that is too much, the rows are read once per group of layers.

    Args:
        layers: parameter names of each layer.
        layers_at_once: default as many as fit into half of the free memory.
    """
    parameters = dict(model.named_parameters())
    largest = max(sum(parameters[name].numel() for name in names) for names in layers)
    fit = min(len(layers), MEMORY_SHARE * _free_bytes(model) / (4 * largest))
    at_once = layers_at_once or max(1, int(fit))
    groups = [layers[first : first + at_once] for first in range(0, len(layers), at_once)]
    scores: list[float] = []
    for parameter in parameters.values():
        parameter.requires_grad_(False)
    for number, group in enumerate(groups):
        squares = {name: torch.zeros_like(parameters[name], dtype=torch.float32) for names in group for name in names}
        hooks = [_add_squares(parameters[name], total) for name, total in squares.items()]
        for done, (ids, prompt_length) in enumerate(rows, start=1):
            log_likelihood(model, ids, prompt_length).backward()
            if report:
                report("measuring Fisher information", number * len(rows) + done, len(groups) * len(rows))
        for hook in hooks:
            hook.remove()
        for names in group:
            norms = [torch.linalg.vector_norm(squares[name] / len(rows), dtype=torch.float64) for name in names]
            scores.append(float(sum(norm.item() for norm in norms)))
            for name in names:
                parameters[name].requires_grad_(False)
    return scores


def log_likelihood(model: Any, ids: Sequence[int], prompt_length: int) -> torch.Tensor:
    """log p(completion | prompt): the sum over the completion's tokens."""
    tokens = torch.tensor([ids], device=model.device)  # (1, T)
    given = max(prompt_length, 1)  # nothing stands before the first token of a text that begins without a mark
    logits = model(input_ids=tokens, use_cache=False).logits[0, given - 1 : -1]  # (completion, V)
    answer = tokens[0, given:, None]
    return logits.float().log_softmax(-1).gather(-1, answer).sum()


def _add_squares(parameter: torch.nn.Parameter, total: torch.Tensor) -> Any:
    """Let the parameter train, add the square of each of its gradients to `total`, and drop the gradient."""

    def add(trained: torch.Tensor) -> None:
        if trained.grad is not None:
            gradient = trained.grad.float()
            total.addcmul_(gradient, gradient)
            trained.grad = None

    parameter.requires_grad_(True)
    return parameter.register_post_accumulate_grad_hook(add)


def _draw(tokenizer: Any, evidence: Evidence, wanted: int, seed: int) -> tuple[list[Tokens], int]:
    order = list(range(len(evidence.examples)))
    random.Random(seed).shuffle(order)
    rows: list[Tokens] = []
    too_long = 0
    for index in order:
        if len(rows) == wanted:
            break
        example = evidence.examples[index]
        ids, prompt_length = example_ids(tokenizer, example)
        if not example.prompt:  # plain text, which training cuts into pieces as well
            ids = ids[: evidence.max_tokens]
        if len(ids) > evidence.max_tokens:
            too_long += 1
        else:
            rows.append((ids, prompt_length))
    if not rows:
        raise SelectionError(
            f"all {too_long} examples are longer than {evidence.max_tokens} tokens", "raise `max_tokens` in the recipe"
        )
    return rows, too_long


def _free_bytes(model: Any) -> float:
    """Memory that is left where the model lies; unbounded where the system does not tell."""
    if model.device.type == "cuda":
        return free_card_bytes(model.device)
    memory = memory_bytes()
    return math.inf if memory is None else max(0, memory - model.get_memory_footprint())
