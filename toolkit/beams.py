"""Several answers to one prompt by beam search, the likeliest first, each with its length-normalised score.

Shapes: `N` beams, `P` tokens of the prompt, `T` tokens so far.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_BEAMS_PER_ANSWER = 2  # some beams end in the same words


@dataclass(frozen=True)
class Alternative:
    """One of several answers."""

    text: str
    score: float
    """Mean log-probability of its tokens, the one that ends it included: 0 is certain."""

    @property
    def certainty(self) -> float:
        """The geometric mean of its tokens' probabilities, 0 to 1."""
        return math.exp(self.score)


def answer_variously(
    model: Any,
    tokenizer: Any,
    prompt: Sequence[int],
    *,
    count: int,
    max_new_tokens: int,
    stop: str,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Alternative]:
    """Up to `count` different answers that came to an end, by beam search; none where no beam found an end.

    Args:
        prompt: token ids, the beginning-of-sequence token included.
        stop: text that ends an answer; it is not part of it.
        cancelled: asked before each step; once it is true, the search ends and finds nothing.
    """
    import torch
    from transformers import GenerationConfig, StoppingCriteriaList

    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    beams = _BEAMS_PER_ANSWER * count
    # Every field that could bend the search is set, because fields left out are taken from the base's own file.
    settings = GenerationConfig(
        do_sample=False,
        num_beams=beams,
        num_return_sequences=beams,
        length_penalty=1.0,
        early_stopping=False,  # the first beams to end may be no more than the shortest
        temperature=1.0,
        top_p=1.0,
        top_k=50,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        max_length=None,
        max_new_tokens=max_new_tokens,
        pad_token_id=pad,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        output_scores=True,
        return_dict_in_generate=True,
    )
    end = _End(tokenizer, len(prompt), stop, cancelled)
    ids = torch.tensor([list(prompt)], device=model.device)
    with torch.inference_mode():
        found = model.generate(
            input_ids=ids,  # (1, P)
            attention_mask=torch.ones_like(ids),
            generation_config=settings,
            stopping_criteria=StoppingCriteriaList([end]),
        )
    if cancelled():
        return []
    answers: dict[str, Alternative] = {}
    for row, score in zip(found.sequences[:, len(prompt) :].tolist(), found.sequences_scores.tolist(), strict=True):
        text, ended = end.read(row)
        if ended and text and text not in answers and math.isfinite(score):
            answers[text] = Alternative(text, min(score, 0.0))
    return sorted(answers.values(), key=lambda answer: -answer.score)[:count]


class _End:
    """Tells which beams have come to the end of an answer."""

    def __init__(self, tokenizer: Any, prompt_tokens: int, stop: str, cancelled: Callable[[], bool]) -> None:
        self._tokenizer, self._prompt_tokens, self._stop, self._cancelled = tokenizer, prompt_tokens, stop, cancelled

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """As transformers asks after each step; `input_ids` is (2N, T), and says nothing of earlier steps."""
        import torch

        stop_all = self._cancelled()
        rows = input_ids[:, self._prompt_tokens :].tolist()
        return torch.tensor([stop_all or self.read(row)[1] for row in rows], device=input_ids.device)

    def read(self, ids: list[int]) -> tuple[str, bool]:
        """The answer in these tokens, and whether it came to its end."""
        eos = self._tokenizer.eos_token_id
        at_end = eos in ids
        text = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        text, found, _ = text.partition(self._stop)
        return text.strip(), at_end or bool(found)
