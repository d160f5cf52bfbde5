"""What a decoder holds after each of its layers, and what its head would make of that (the logit lens).

L layers, B rows, T tokens, D width, V vocabulary. State 0 is what enters the first layer (embeddings, scaled where
the model scales them); state l is what layer l leaves, before the final norm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from toolkit.errors import BaseModelError
from toolkit.selection import layout_of

TOLERANCE = 0.01  # in probability, between the lens at the last layer and the model itself; bfloat16 is that coarse

Reduce = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From states (B, T, D) and which tokens are real (B, T) to one vector per row (B, D)."""


class Decoder:
    """The parts of a causal decoder that the lens looks through: Llama, Mistral, Qwen, Gemma and the like.

    Raises:
        BaseModelError: if the model lacks one of them.
    """

    def __init__(self, model: Any) -> None:
        layout = layout_of(model)
        if not layout.final_norm:
            raise BaseModelError(
                f"{type(model).__name__} has no final norm where decoders of the Llama kind have it",
                "the lens knows decoders of the Llama, Mistral, Qwen and Gemma kind",
            )
        self.model = model
        self.layers = model.get_submodule(layout.layers[0][0].split(".0.", 1)[0])
        self.norm = model.get_submodule(layout.final_norm[0].rpartition(".")[0])
        self.head = model.get_output_embeddings()
        self.softcap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)  # Gemma 2

    @property
    def n_layers(self) -> int:
        return len(self.layers)

    def states(self, rows: Sequence[Sequence[int]], reduce: Reduce) -> torch.Tensor:
        """One vector per row after each layer, (L + 1, B, D), in the model's dtype.

        Rows are padded on the right, where a causal model cannot see them.
        """
        longest = max(map(len, rows))
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        real = torch.zeros(len(rows), longest, dtype=torch.bool)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = torch.tensor(row)
            real[index, : len(row)] = True
        place = self.model.device
        ids, real = ids.to(place), real.to(place)
        found: list[torch.Tensor] = []

        def enters(module: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            found.append(reduce(inputs[0] if inputs else named["hidden_states"], real))

        def leaves(module: Any, inputs: Any, output: Any) -> None:
            found.append(reduce(output[0] if isinstance(output, tuple) else output, real))

        hooks = [self.layers[0].register_forward_pre_hook(enters, with_kwargs=True)]
        hooks += [layer.register_forward_hook(leaves) for layer in self.layers]
        try:
            with torch.inference_mode():
                self.model.base_model(input_ids=ids, attention_mask=real.long(), use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
        return torch.stack(found)

    def probabilities(self, states: torch.Tensor) -> torch.Tensor:
        """The logit lens: next-token probabilities that the head gives to these states, (..., D) to (..., V)."""
        with torch.inference_mode():
            logits = self.head(self.norm(states)).float()
            if self.softcap:
                logits = self.softcap * torch.tanh(logits / self.softcap)
            return logits.softmax(-1)

    def check(self, row: Sequence[int]) -> None:
        """Compare the lens at the last layer with what the model itself says next.

        Raises:
            BaseModelError: if they differ, so that the lens would not show this model.
        """
        with torch.inference_mode():
            ids = torch.tensor([row], device=self.model.device)
            own = self.model(input_ids=ids, use_cache=False).logits[0, -1].float().softmax(-1)
        lens = self.probabilities(self.states([row], last))[-1, 0]
        if (own - lens).abs().max() > TOLERANCE:
            raise BaseModelError(
                f"{type(self.model).__name__} does more between its last layer and its answer than the lens knows of",
                "the lens knows decoders of the Llama, Mistral, Qwen and Gemma kind",
            )


def last(states: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """The state at each row's last token: where the next one is foretold."""
    return states[torch.arange(len(states), device=states.device), real.sum(1) - 1]


def mean(states: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """The mean over each row's tokens, in float32."""
    weights = real.unsqueeze(-1).float()
    return (states.float() * weights).sum(1) / weights.sum(1)


def mean_after_first(states: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """The same without the first token, which is the beginning of sequence and says nothing of the text."""
    return mean(states[:, 1:], real[:, 1:])
