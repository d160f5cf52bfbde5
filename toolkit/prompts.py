"""The templates that turn text into prompts; training, evaluation and the page all use these.

A template is published with a delta by its name, because a model answers best to the wording it was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.errors import RecipeError
from toolkit.languages import Language


@dataclass(frozen=True)
class Example:
    """One training example: the loss is on `completion` alone, `group` names where it comes from."""

    prompt: str
    completion: str
    group: str


@dataclass(frozen=True)
class Template:
    """How a request is worded.

    Fields use `{source}` and `{target}` for the names that prompts give the languages, `{text}` for the request.
    A completion is the answer after one space; it ends with the end-of-sequence token, or at `stop`.
    """

    name: str
    translation: str
    instruction: str
    separator: str  # between few-shot examples
    stop: str

    def translate(self, text: str, source: Language, target: Language, shots: Sequence[tuple[str, str]] = ()) -> str:
        """The prompt that asks for a translation of `text`, after `shots` of (source text, target text)."""
        asked = [self._translation(shot, source, target) + self.completion(answer) for shot, answer in shots]
        return self.separator.join([*asked, self._translation(text, source, target)])

    def instruct(self, instruction: str, text: str = "") -> str:
        """The prompt for a free instruction with an optional input."""
        request = f"{instruction}\n\n{text}" if text else instruction
        return self.instruction.replace("{text}", request)

    def completion(self, answer: str) -> str:
        """The text that follows the prompt."""
        return " " + answer

    def _translation(self, text: str, source: Language, target: Language) -> str:
        head = self.translation.replace("{source}", source.prompt_name).replace("{target}", target.prompt_name)
        return head.replace("{text}", text)  # last, so that braces in the text mean nothing


LINES = Template(
    name="lines",
    translation="{source}: {text}\n{target}:",
    instruction="Instruction: {text}\nResponse:",
    separator="\n\n",
    stop="\n",
)

# The wording of Stanford Alpaca, which the CogSym paper's training data uses.
ALPACA = Template(
    name="alpaca",
    translation=(
        "### Instruction:\nTranslate this sentence from {source} to {target}.\n\n### Input:\n{text}\n\n### Response:\n"
    ),
    instruction="### Instruction:\n{text}\n\n### Response:\n",
    separator="\n\n",
    stop="\n\n",
)

TEMPLATES = {template.name: template for template in (LINES, ALPACA)}


def get_template(name: str) -> Template:
    """The template with this name.

    Raises:
        RecipeError: if there is none.
    """
    try:
        return TEMPLATES[name]
    except KeyError:
        raise RecipeError(f"unknown prompt template '{name}'", f"use one of: {', '.join(TEMPLATES)}") from None
