"""Token ids of examples, and how they are padded into batches.

B examples, T tokens (the longest example of the batch).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from toolkit.errors import CorpusError
from toolkit.prompts import Example
from toolkit.tokens import example_ids

IGNORED = -100  # label that the loss leaves out


class ExampleDataset(torch.utils.data.Dataset[dict[str, Any]]):
    """Tokenized examples with the loss on the completion alone; too long ones are left out and counted."""

    def __init__(self, tokenizer: Any, examples: Sequence[Example], max_tokens: int) -> None:
        self.items: list[dict[str, Any]] = []
        self.too_long = 0
        for example in examples:
            ids, prompt_length = example_ids(tokenizer, example)
            if len(ids) > max_tokens:
                self.too_long += 1
                continue
            labels = [IGNORED] * prompt_length + ids[prompt_length:]
            self.items.append({"input_ids": ids, "labels": labels, "length": len(ids)})
        if not self.items:
            raise CorpusError(
                f"all {self.too_long} examples are longer than {max_tokens} tokens", "raise `max_tokens` in the recipe"
            )
        self.column_names = ["input_ids", "labels", "length"]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int | str) -> Any:
        if isinstance(index, str):  # the sampler that groups by length reads a whole column
            return [item[index] for item in self.items]
        return self.items[index]


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
