"""How many tokens a base's tokenizer needs for each language, and what that costs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from toolkit.auditing.record import Tokens
from toolkit.tokens import plain_ids

SAMPLE = 2_000  # rows per side, spread evenly
MAX_TOKENS = 512  # of prompt and answer, where a recipe says nothing else
_BYTE = re.compile(r"^<0x[0-9A-Fa-f]{2}>$")

# Plain English to compare with where the file has none; our own words.
ENGLISH = (
    "Good morning, how are you today?",
    "The children are playing under the big tree behind the house.",
    "My grandmother tells stories in the evening when the work is done.",
    "We will go to the market tomorrow to buy rice, fish and vegetables.",
    "If it rains again, the road to the village will be closed.",
    "The teacher asked us to read the whole letter before we answer it.",
)


def load_tokenizer(base: Path) -> Any:
    """The tokenizer in a base's folder; nothing is looked up on the network.

    Raises:
        OSError, ValueError: if there is none that can be read.
    """
    from transformers import AutoTokenizer, LlamaTokenizer

    if (base / "tokenizer.model").is_file() and not (base / "tokenizer_config.json").is_file():
        return LlamaTokenizer.from_pretrained(base, local_files_only=True)
    return AutoTokenizer.from_pretrained(base, local_files_only=True)


def count_tokens(tokenizer: Any, texts: Iterable[str], *, has_words: bool) -> tuple[Tokens, list[int]] | None:
    """Tokens per word and per text, and which texts are too long for a usual recipe; None for no text."""
    odd = _single_bytes(tokenizer)
    rows = words = tokens = pieces = longest = 0
    too_long: list[int] = []
    for text in texts:
        ids = plain_ids(tokenizer, text)
        rows += 1
        words += len(text.split())
        tokens += len(ids)
        longest = max(longest, len(ids))
        if len(ids) > MAX_TOKENS:
            too_long.append(rows - 1)
        pieces += sum(each in odd for each in ids)
    if not rows or not tokens:
        return None
    per_word = round(tokens / words, 2) if has_words and words else None
    counted = Tokens(
        per_word=per_word, per_row=round(tokens / rows, 1), pieces=round(pieces / tokens, 4), longest=longest
    )
    return counted, too_long


def in_words(name: str, mine: Tokens, beside: str, other: Tokens, *, same_rows: bool) -> str:
    """What a language costs beside another, in a sentence.

    Args:
        same_rows: the two say the same, so that their rows can be compared too.
    """
    times = mine.per_row / other.per_row if same_rows else (mine.per_word or 0) / (other.per_word or 1)
    if mine.per_word and other.per_word:
        said = f"{name} takes about {mine.per_word:.1f} tokens per word, {beside} {other.per_word:.1f}"
    else:
        said = f"{name} takes about {mine.per_row:.0f} tokens per row, {beside} {other.per_row:.0f}"
    if times >= 1.15:
        return f"{said}: sentences {_times(times)} as long for the model, so as much slower to train and to answer."
    fewer = ", but fewer words" if mine.per_word and other.per_word and mine.per_word > 1.15 * other.per_word else ""
    return f"{said}{fewer}: sentences are about as long for the model."


def _times(times: float) -> str:
    names: Sequence[str] = ("", "", "twice", "three times", "four times", "five times", "six times")
    near = round(times)
    return names[near] if 2 <= near < len(names) and abs(times - near) < 0.2 else f"{times:.1f} times"


def _single_bytes(tokenizer: Any) -> frozenset[int]:
    """Ids of tokens that stand for one byte, and of the unknown one."""
    odd = {number for token, number in tokenizer.get_vocab().items() if _BYTE.match(token)}
    return frozenset(odd | ({tokenizer.unk_token_id} - {None}))
