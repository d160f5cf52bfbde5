"""The tokens that tell a language: those with which only its words begin.

T(g) holds the first token of every word in the text of language g, with and without a space before it; N(g) is T(g)
less what is in T of any other language looked at. The probability of a language is the sum over N(g), as Wendler et al.
(arXiv 2402.10588) sum over the first tokens of one word, and LinguaMap (arXiv 2601.20009) follows languages through the
layers. Tokens that several languages share count for none, so the sums need not reach 1.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from toolkit.errors import CorpusError
from toolkit.tokens import plain_ids


def telling_tokens(tokenizer: Any, texts: Mapping[str, Iterable[str]]) -> dict[str, frozenset[int]]:
    """N(g) of each language.

    Args:
        texts: sentences or words by language.

    Raises:
        CorpusError: if no token tells one of the languages from the others.
    """
    begins = {language: _beginnings(tokenizer, sentences) for language, sentences in texts.items()}
    telling = {}
    for language, tokens in begins.items():
        others = set().union(*(begins[other] for other in begins if other != language))
        telling[language] = frozenset(tokens - others)
        if not telling[language]:
            raise CorpusError(
                f"every word in the {language} text begins with a token that another language uses, too",
                "give more text, or leave out the language that is too close",
            )
    return telling


def coverage(tokenizer: Any, sentences: Iterable[str], tokens: frozenset[int]) -> float:
    """The share of sentences that begin with one of these tokens: the most that a perfect answer could show."""
    firsts = [_first_token(tokenizer, f" {sentence}") for sentence in sentences]
    return sum(first in tokens for first in firsts) / len(firsts)


def words_of(text: str) -> list[str]:
    """What stands between spaces, without the punctuation around it; numbers and signs are no words."""
    stripped = (chunk.strip("".join(character for character in chunk if _is_mark(character))) for chunk in text.split())
    return [word for word in stripped if any(character.isalpha() for character in word)]


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _beginnings(tokenizer: Any, sentences: Iterable[str]) -> set[int]:
    words = {word for sentence in sentences for word in words_of(sentence)}
    firsts = {_first_token(tokenizer, form) for word in words for form in (word, f" {word}")}
    return {token for token in firsts if token is not None}


def _first_token(tokenizer: Any, text: str) -> int | None:
    """The first token that is more than white space."""
    return next((token for token in plain_ids(tokenizer, text) if tokenizer.decode([token]).strip()), None)
