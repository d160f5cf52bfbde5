"""lm-eval's Hugging Face model, made to read prompts as training does and to let go of finished sentences."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.utils import logging as transformers_logging

from toolkit.decoding import REPLACEMENT
from toolkit.evaluation.asking import SOFTMAX_DTYPE
from toolkit.tokens import batch_prompt_ids, plain_ids, prompt_ids

TYPICAL_TOKENS = 512  # of a prompt with its answer, when memory is planned
CACHE_BYTES = {"cpu": 2**30, "cuda": 4 * 2**30}  # beside Llama-2 7B in bf16, this fits a card of 24 GB

# Shapes: B sentences in a batch, T tokens, V tokens of the vocabulary.


class EvaluationLM(HFLM):
    """Answers what lm-eval's own `hf` model answers, with two differences in how.

    Prompts become tokens by `toolkit.tokens`, so text that spells `</s>` stays text. A sentence that has reached its
    stop sequence is padded from then on, as one that has reached the end-of-sequence token is, where lm-eval goes on
    generating until every sentence of the batch has reached the same kind of end.
    """

    on_requests: Callable[[int], None] | None = None  # called with the size of each finished batch
    _reads_bare_text = False  # while text is read in windows, each of which lm-eval begins with its own token

    def __init__(self, model: Any, tokenizer: Any, batch_size: int) -> None:
        super().__init__(pretrained=model, tokenizer=tokenizer, batch_size=batch_size, softmax_dtype=SOFTMAX_DTYPE)
        self._endings: dict[tuple[str, ...], torch.Tensor] = {}  # by stop sequences

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = True) -> list[str]:
        return super().generate_until(requests, disable_tqdm=True)

    def tok_batch_encode(
        self,
        strings: Sequence[str],
        padding_side: str = "left",
        left_truncate_len: int | None = None,
        truncation: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and attention mask of prompts, padded on the left; nothing is truncated. (B, T) and (B, T)"""
        rows = batch_prompt_ids(self.tokenizer, strings)
        longest = max(len(row) for row in rows)
        ids = torch.full((len(rows), longest), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, longest - len(row) :] = torch.tensor(row)
            mask[index, longest - len(row) :] = 1
        return ids, mask

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Ids of a prompt, or of text alone where lm-eval asks for that or reads text in windows."""
        bare = self._reads_bare_text or add_special_tokens is False
        return plain_ids(self.tokenizer, string) if bare else prompt_ids(self.tokenizer, string)

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = True) -> list[float]:
        self._reads_bare_text = True  # as `add_bos_token=False` makes it in lm-eval
        try:
            return list(super().loglikelihood_rolling(requests, disable_tqdm=True))
        finally:
            self._reads_bare_text = False

    def _loglikelihood_tokens(self, requests: Any, disable_tqdm: bool = True, override_bs: int | None = None) -> Any:
        return super()._loglikelihood_tokens(requests, disable_tqdm=True, override_bs=override_bs)

    def reads_otherwise(self, prompts: Sequence[str]) -> int:
        """How many of these prompts plain lm-eval would turn into other tokens than training does."""
        plainly = super().tok_encode
        return sum(plainly(prompt) != prompt_ids(self.tokenizer, prompt) for prompt in prompts if prompt)

    def _model_call(self, inps: torch.Tensor, **options: Any) -> torch.Tensor:
        logits = super()._model_call(inps, **options)
        if self.on_requests:
            self.on_requests(len(inps))
        return logits

    def _model_generate(
        self, context: torch.Tensor, max_length: int, stop: list[str], **generation_kwargs: Any
    ) -> torch.Tensor:
        generation_kwargs.pop("temperature", None)  # greedy; transformers warns about a temperature of 0
        wanted = tuple(stop)
        if wanted not in self._endings:
            known = tokens_that_may_end(self.tokenizer, stop)
            every = torch.ones(max(len(known), self.model.config.vocab_size), dtype=torch.bool)  # padding too
            every[: len(known)] = known
            self._endings[wanted] = every.to(context.device)
        criteria = _StopEachSentence(self.tokenizer, stop, context.shape[1], self._endings[wanted])
        with torch.inference_mode():
            generated = self.model.generate(
                input_ids=context,
                max_length=max_length,
                stopping_criteria=StoppingCriteriaList([criteria]),
                pad_token_id=self.tokenizer.pad_token_id,
                use_cache=True,
                **generation_kwargs,
            )
        if self.on_requests:
            self.on_requests(len(context))
        return generated


class _StopEachSentence(StoppingCriteria):
    """Ends a sentence once its text holds a stop sequence, and no further token can change that.

    lm-eval cuts the finished text at the stop sequence. A tokenizer with byte fallback turns a run of byte pieces that
    is not UTF-8 into replacement characters, a newline among them too, so a sentence is let go only when its last
    piece closes such a run. What stands in front of the stop sequence is then what lm-eval would have kept.

    Args:
        may_end: from `tokens_that_may_end`; text is looked at only after one of these. (V,)
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str], prompt_tokens: int, may_end: torch.Tensor) -> None:
        self._may_end = may_end
        self._pending: torch.Tensor | None = None  # (B,), whose text holds a stop sequence that may yet vanish
        self._tokenizer = tokenizer
        self._stop = [sequence for sequence in stop if sequence]
        self._start = prompt_tokens
        longest = max(len(tokenizer.encode(sequence, add_special_tokens=False)) for sequence in self._stop)
        self._window = longest + 2  # the model may spell a stop sequence with other tokens than the tokenizer does
        self._done: torch.Tensor | None = None  # (B,)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        if self._done is None:
            self._done = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
            self._pending = torch.zeros_like(self._done)
        assert self._pending is not None
        looked_at = (~self._done & (self._may_end[input_ids[:, -1]] | self._pending)).nonzero().flatten()
        if not len(looked_at):
            return self._done
        newest = input_ids[looked_at, max(self._start, input_ids.shape[1] - self._window) :]
        for row, text in zip(looked_at.tolist(), self._tokenizer.batch_decode(newest), strict=True):
            if self._has_stop(text):
                self._done[row] = self._is_final(input_ids[row, self._start :])
                self._pending[row] = True
        return self._done

    def _is_final(self, answer: torch.Tensor) -> bool:
        last = self._tokenizer.convert_ids_to_tokens(int(answer[-1]))
        if last.startswith("<0x"):
            return False
        return self._has_stop(self._tokenizer.decode(answer, skip_special_tokens=True))

    def _has_stop(self, text: str) -> bool:
        return any(sequence in text for sequence in self._stop)


def tokens_that_may_end(tokenizer: Any, stop: Sequence[str]) -> torch.Tensor:
    """Which tokens can complete a stop sequence: those whose text holds its last character, or is none by itself.

    Returns:
        One truth value per token id. (V,)
    """
    last = {sequence[-1] for sequence in stop if sequence}
    texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
    return torch.tensor([not text or REPLACEMENT in text or not last.isdisjoint(text) for text in texts])


def default_batch_size(config: Any, dtype: torch.dtype, device: torch.device) -> int:
    """Sentences per batch whose attention cache stays within `CACHE_BYTES`; a fact of the model, not of the moment."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    token_bytes = 2 * config.num_hidden_layers * heads * head_width * dtype.itemsize
    fitting = CACHE_BYTES.get(device.type, CACHE_BYTES["cpu"]) // (token_bytes * TYPICAL_TOKENS)
    return max(1, min(128, fitting))


def batch_size_for_text(config: Any, dtype: torch.dtype, device: torch.device, tokens: int) -> int:
    """Texts of so many tokens per batch whose logits and likelihoods together stay within `CACHE_BYTES`."""
    in_float32 = 4 if dtype.itemsize == 4 else 2 * 4  # the likelihoods, and the logits once more unless they are that
    text_bytes = tokens * config.vocab_size * (dtype.itemsize + in_float32)
    return max(1, min(128, CACHE_BYTES.get(device.type, CACHE_BYTES["cpu"]) // text_bytes))


@contextmanager
def quiet_lm_eval() -> Iterator[None]:
    """Silence the logs of lm-eval and transformers, which speak of their own arguments; errors still come through."""
    lm_eval_log = logging.getLogger("lm_eval")
    before, verbosity = lm_eval_log.level, transformers_logging.get_verbosity()
    lm_eval_log.setLevel(logging.ERROR)
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        lm_eval_log.setLevel(before)
        transformers_logging.set_verbosity(verbosity)
