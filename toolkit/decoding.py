"""Greedy answers to a batch of prompts, step by step, stopped where the template stops or when nobody waits any more.

Shapes: `B` prompts, `P` tokens of the longest prompt (shorter ones are padded on the left), `T` tokens so far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

REPLACEMENT = "\ufffd"  # what half a character decodes to


@dataclass(frozen=True)
class Answer:
    """What the model said to one prompt."""

    text: str
    tokens: int
    ended: bool  # by itself; False where it ran into the token limit, or was cancelled


def answer_greedily(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: Sequence[int],
    stop: str,
    watch: Callable[[list[Answer]], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Answer]:
    """The most likely continuation of each prompt, token by token, up to `stop` or the end-of-sequence token.

    Args:
        prompts: token ids, the beginning-of-sequence token included.
        max_new_tokens: longest answer to each prompt.
        stop: text that ends an answer; it is not part of it.
        watch: called after each step with all answers so far.
        cancelled: asked before each step; once it is true, what is there is returned.
    """
    import torch
    from transformers import GenerationConfig, StoppingCriteriaList

    width = max(len(prompt) for prompt in prompts)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    ids = torch.tensor([[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=model.device)
    answers = _Answers(tokenizer, width, list(max_new_tokens), stop, watch, cancelled)
    # Every field that could bend greedy decoding is set, because fields left out are taken from the base's own file.
    settings = GenerationConfig(
        do_sample=False,
        num_beams=1,
        temperature=1.0,
        top_p=1.0,
        top_k=50,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        max_length=None,
        max_new_tokens=max(max_new_tokens),
        pad_token_id=pad,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.inference_mode():
        model.generate(
            input_ids=ids,  # (B, P)
            attention_mask=mask,
            generation_config=settings,
            stopping_criteria=StoppingCriteriaList([answers]),
        )
    return answers.now


class _Answers:
    """Keeps the answers up to date after each step, and tells which rows are done."""

    def __init__(
        self,
        tokenizer: Any,
        width: int,
        limits: list[int],
        stop: str,
        watch: Callable[[list[Answer]], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self.now = [Answer("", 0, False) for _ in limits]
        self._done = [False] * len(limits)
        self._tokenizer, self._width, self._limits, self._stop = tokenizer, width, limits, stop
        self._watch, self._cancelled = watch, cancelled

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Which rows are done, as transformers asks after each step."""
        import torch

        new = input_ids[:, self._width :].tolist()  # (B, T - P)
        for row, ids in enumerate(new):
            if not self._done[row]:
                self._update(row, ids)
        if self._watch:
            self._watch(list(self.now))
        stop_all = self._cancelled is not None and self._cancelled()
        return torch.tensor([stop_all or done for done in self._done], device=input_ids.device)

    def _update(self, row: int, ids: list[int]) -> None:
        at_end = ids[-1] == self._tokenizer.eos_token_id
        text = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        text, found, _ = text.partition(self._stop)
        ended = at_end or bool(found)
        self._done[row] = ended or len(ids) >= self._limits[row]
        # Half a character, and white space that may be half a stop, wait for the next token.
        settled = text.strip() if self._done[row] else text.rstrip(REPLACEMENT).strip()
        self.now[row] = Answer(settled, len(ids) - at_end, ended)
