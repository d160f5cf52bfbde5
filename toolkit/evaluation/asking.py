"""The ways to put a task to a model, in lm-eval's own terms: go on writing, choose, read, or expect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

# A row has `prompt`, exactly as the model sees it, and what its way of asking names. An answer is what the model adds
# to a row; row and answer together are a sample.

SOFTMAX_DTYPE = "float32"
"""Of likelihoods, whatever the model's own dtype: between 256 and 258 nats bfloat16 has no number."""


@dataclass(frozen=True)
class Write:
    """The model goes on after `prompt` until it says `stop`; its answer is `hypothesis`."""

    stop: str
    max_new_tokens: int
    target: str = "reference"  # key of what is right: a text, or a list of accepted ones
    model_args: ClassVar[str] = ""

    @property
    def config(self) -> dict[str, Any]:
        return {
            "output_type": "generate_until",
            "doc_to_text": "prompt",  # worked examples are part of it
            "doc_to_target": self.target,
            "generation_kwargs": {"until": [self.stop], "max_gen_toks": self.max_new_tokens, "do_sample": False},
        }

    @property
    def facts(self) -> dict[str, Any]:
        return {"strategy": "greedy", "stop": self.stop, "max_new_tokens": self.max_new_tokens}


@dataclass(frozen=True)
class Choose:
    """The likeliest of `choices` after `prompt` is the answer: `chosen`, its index; `gold` is the right one's."""

    model_args: ClassVar[str] = f",softmax_dtype={SOFTMAX_DTYPE}"

    @property
    def config(self) -> dict[str, Any]:
        return {
            "output_type": "multiple_choice",
            "doc_to_text": "prompt",
            "doc_to_choice": "choices",
            "doc_to_target": "gold",
        }

    @property
    def facts(self) -> dict[str, Any]:
        return {"strategy": "likeliest choice"}


@dataclass(frozen=True)
class Read:
    """How likely the model finds `text`, in windows of its whole context; the answer is `loglikelihood`, in nats."""

    # lm-eval puts a beginning-of-sequence token in front of each window by itself.
    model_args: ClassVar[str] = f",add_bos_token=False,softmax_dtype={SOFTMAX_DTYPE}"

    @property
    def config(self) -> dict[str, Any]:
        return {"output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "text"}

    @property
    def facts(self) -> dict[str, Any]:
        return {"strategy": "likelihood, windows of the whole context"}


@dataclass(frozen=True)
class Expect:
    """How likely the model finds `text` right after `prompt`; the answer is `loglikelihood`, in nats."""

    model_args: ClassVar[str] = f",softmax_dtype={SOFTMAX_DTYPE}"

    @property
    def config(self) -> dict[str, Any]:
        return {"output_type": "loglikelihood", "doc_to_text": "prompt", "doc_to_target": "text"}

    @property
    def facts(self) -> dict[str, Any]:
        return {"strategy": "likelihood after the prompt"}


Asking: TypeAlias = Write | Choose | Read | Expect
