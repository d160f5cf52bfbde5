"""How prompts and examples become token ids; training, evaluation and translation must agree on this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from toolkit.prompts import Example


def prompt_ids(tokenizer: Any, prompt: str) -> list[int]:
    """Ids of a prompt: the beginning-of-sequence token where the tokenizer has one, then the text.

    Special tokens that are spelled out in the text (`</s>`) are text, not control.
    """
    start = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    return start + plain_ids(tokenizer, prompt)


def batch_prompt_ids(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """`prompt_ids` of each prompt, in one call of the tokenizer."""
    start = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    ids = tokenizer(list(prompts), add_special_tokens=False, split_special_tokens=True).input_ids
    return [start + each for each in ids]


def example_ids(tokenizer: Any, example: Example) -> tuple[list[int], int]:
    """Ids of prompt, completion and end of sequence; and how many of them are the prompt.

    The two parts are joined before tokenization where that leaves the prompt's ids as they are, which is what a model
    meets when it continues a prompt; otherwise the parts are tokenized apart.
    """
    prompt = prompt_ids(tokenizer, example.prompt)
    whole = prompt_ids(tokenizer, example.prompt + example.completion)
    if whole[: len(prompt)] != prompt:
        whole = prompt + plain_ids(tokenizer, example.completion)
    return [*whole, tokenizer.eos_token_id], len(prompt)


def plain_ids(tokenizer: Any, text: str) -> list[int]:
    """Ids of text alone, in which nothing is a control token."""
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
