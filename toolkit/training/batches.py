"""Token ids of examples, and how they are padded into batches.

B examples, T tokens (the longest example of the batch).
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from toolkit.corpus.shelf import scratch_file, told_when_full
from toolkit.errors import CorpusError
from toolkit.prompts import Example
from toolkit.tokens import example_ids, prompt_ids
from toolkit.training.gathering import TEXT

IGNORED = -100  # label that the loss leaves out


class ExampleDataset(torch.utils.data.Dataset[dict[str, Any]]):
    """Tokenized examples with the loss on the completion alone; too long ones are left out and counted.

    Plain text is packed: documents follow each other, each between its own beginning and end of sequence, and are cut
    into examples of `max_tokens` with the loss on every token.

    The ids lie in an unnamed temporary file; memory holds 12 bytes per example.
    """

    column_names = ("input_ids", "labels", "length")

    def __init__(self, tokenizer: Any, examples: Sequence[Example], max_tokens: int) -> None:
        self.too_long = 0
        self._file = scratch_file()
        self._starts, self._prompts = array("q", [0]), array("i")  # the last start is the end
        with told_when_full():
            for ids, prompt_length in self._tokenized(tokenizer, examples, max_tokens):
                self._file.write(np.array(ids, np.int32).tobytes())
                self._starts.append(self._starts[-1] + len(ids))
                self._prompts.append(prompt_length)
            self._file.flush()
        if not self._prompts:
            raise CorpusError(
                f"all {self.too_long} examples are longer than {max_tokens} tokens", "raise `max_tokens` in the recipe"
            )

    def _tokenized(
        self, tokenizer: Any, examples: Sequence[Example], max_tokens: int
    ) -> Iterator[tuple[list[int], int]]:
        """Ids and the length of the prompt, 0 for packed text, in the order of the examples."""
        packed: list[int] = []
        for example in examples:
            if example.group == TEXT:
                packed += [*prompt_ids(tokenizer, example.completion), tokenizer.eos_token_id]
                while len(packed) >= max_tokens:
                    yield packed[:max_tokens], 0
                    del packed[:max_tokens]
                continue
            ids, prompt_length = example_ids(tokenizer, example)
            if len(ids) > max_tokens:
                self.too_long += 1
            else:
                yield ids, prompt_length
        if len(packed) > 1:  # the first token of an example is never predicted
            yield packed, 0

    def __len__(self) -> int:
        return len(self._prompts)

    def __getitem__(self, index: int | str) -> Any:
        if isinstance(index, str):  # the sampler that groups by length reads a whole column
            return np.diff(self._starts).tolist() if index == "length" else [item[index] for item in self]
        start, end = self._starts[index], self._starts[index + 1]
        ids = np.frombuffer(os.pread(self._file.fileno(), 4 * (end - start), 4 * start), np.int32).tolist()
        prompt_length = self._prompts[index]
        return {"input_ids": ids, "labels": [IGNORED] * prompt_length + ids[prompt_length:], "length": len(ids)}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))


def pad(items: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """One batch, padded on the right: input_ids, attention_mask and labels, each (B, T); labels -100 on the prompt."""
    longest = max(item["length"] for item in items)
    batch: dict[str, list[list[int]]] = {"input_ids": [], "attention_mask": [], "labels": []}
    for item in items:
        padding = longest - item["length"]
        batch["input_ids"].append(item["input_ids"] + [0] * padding)
        batch["attention_mask"].append([1] * item["length"] + [0] * padding)
        batch["labels"].append(item["labels"] + [IGNORED] * padding)
    return {name: torch.tensor(rows) for name, rows in batch.items()}
