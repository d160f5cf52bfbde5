"""How often each feed-forward neuron is active in each language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from toolkit.errors import BaseModelError, SelectionError
from toolkit.selection.evidence import Progress
from toolkit.selection.feed_forward import FeedForward
from toolkit.tokens import plain_ids

BATCH = 16


def activation_rates(
    model: Any,
    tokenizer: Any,
    texts: Mapping[str, Sequence[str]],
    blocks: Sequence[FeedForward],
    *,
    max_tokens: int,
    report: Progress | None = None,
) -> tuple[np.ndarray, dict[str, int]]:
    """The share of each language's tokens on which act(gate) > 0, and how many tokens that is of.

    The beginning-of-sequence token stands before every text and says nothing of its language, so it is not counted.

    Args:
        texts: sentences by language; each is cut after `max_tokens`.
        blocks: the feed-forward block of each layer.

    Returns:
        Rates, shape (languages, neurons of all layers one after the other), in the order of `texts`; and the tokens
        counted in each language.

    Raises:
        BaseModelError: if a block has no activation function to ask.
        SelectionError: if a language's texts hold no token.
    """
    counts = torch.zeros(len(texts), sum(block.n_neurons for block in blocks), dtype=torch.float64)
    tokens = dict.fromkeys(texts, 0)
    total = sum(map(len, texts.values()))
    done = 0
    for row, (language, sentences) in enumerate(texts.items()):
        for first in range(0, len(sentences), BATCH):
            batch = [plain_ids(tokenizer, sentence)[:max_tokens] for sentence in sentences[first : first + BATCH]]
            counts[row] += _active(model, tokenizer, [ids for ids in batch if ids], blocks)
            tokens[language] += sum(map(len, batch))
            done += len(batch)
            if report:
                report("counting active neurons", done, total)
        if not tokens[language]:
            raise SelectionError(f"the text in {language} holds no tokens", "give text that the tokenizer can read")
        counts[row] /= tokens[language]
    return counts.numpy(), tokens


def _active(
    model: Any, tokenizer: Any, batch: Sequence[Sequence[int]], blocks: Sequence[FeedForward]
) -> torch.Tensor | float:
    """On how many tokens of the batch each neuron is active."""
    if not batch:
        return 0.0
    start = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    longest = max(map(len, batch)) + len(start)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    real = torch.zeros(len(batch), longest, dtype=torch.bool)  # neither start nor padding
    for row, text in enumerate(batch):
        ids[row, : len(start) + len(text)] = torch.tensor([*start, *text])
        real[row, len(start) : len(start) + len(text)] = True
    counted = real.to(model.device)
    found: list[torch.Tensor] = []

    def listen(act: Any) -> Any:
        def hook(module: Any, inputs: Any, gate: torch.Tensor) -> None:  # gate: (batch, tokens, neurons)
            found.append((act(gate[counted]) > 0).sum(0).double().cpu())

        return hook

    hooks = [_gate(model, block).register_forward_hook(listen(_activation(model, block))) for block in blocks]
    try:
        with torch.inference_mode():
            attended = torch.arange(longest) < real.sum(1, keepdim=True) + len(start)
            model(input_ids=ids.to(model.device), attention_mask=attended.long().to(model.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(found)


def _gate(model: Any, block: FeedForward) -> Any:
    return model.get_submodule(block.gate.removesuffix(".weight"))


def _activation(model: Any, block: FeedForward) -> Any:
    """The function that the layer itself puts on its gate: SiLU in Llama, GELU in Gemma."""
    parent = model.get_submodule(block.gate.rsplit(".", 2)[0])
    if not hasattr(parent, "act_fn"):
        raise BaseModelError(
            f"{type(parent).__name__} has no activation function `act_fn`, so its neurons cannot be counted",
            "choose layers by position, or by fisher or alpha",
        )
    return parent.act_fn
