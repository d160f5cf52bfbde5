"""A text on its way through a model: its sentences as prompts, and their answers put together as a text again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.corpus import clean
from toolkit.decoding import Answer
from toolkit.errors import TranslationError
from toolkit.languages import Direction, get_language
from toolkit.prompts import Template
from toolkit.sentences import Piece, split_text
from toolkit.tokens import plain_ids, prompt_ids

# An answer may be this much longer than its text: scripts that the tokenizer spells in bytes take many tokens.
_ANSWER_FACTOR, _ANSWER_SPARE_TOKENS = 8, 48


@dataclass(frozen=True)
class Partial:
    """A translation as far as it has come. Each one's text begins with the text of the one before."""

    text: str
    tokens: int  # generated so far
    sentences: int  # in the whole text
    finished: int  # sentences of these that are done
    unended: tuple[str, ...] = ()  # source sentences whose answer ran into the token limit


@dataclass(frozen=True)
class Length:
    """How long a text is for a model, and how long it may be."""

    sentences: int
    longest_tokens: int
    limit_tokens: int
    longest: str  # the sentence

    @property
    def fits(self) -> bool:
        return self.longest_tokens <= self.limit_tokens


@dataclass(frozen=True)
class Passage:
    """One text and what a model is asked for it; `prompts` holds each distinct sentence once."""

    model: str
    stop: str
    pieces: tuple[Piece, ...]
    prompts: dict[str, list[int]]
    max_new_tokens: dict[str, int]

    def translation(self, answers: Mapping[str, Answer], done: set[str]) -> Partial:
        """The text in reading order, as far as its first sentence that still grows.

        Args:
            answers: what there is to each sentence.
            done: sentences whose answer will not grow any more.
        """
        text: list[str] = []
        for piece in self.pieces:
            if not piece.is_sentence:
                text.append(piece.text)
                continue
            sentence = clean(piece.text)
            if sentence in answers:
                text.append(clean(answers[sentence].text))
            if sentence not in done:
                break
        mine = {sentence: answers[sentence] for sentence in self.prompts if sentence in answers}
        return Partial(
            text="".join(text),
            tokens=sum(answer.tokens for answer in mine.values()),
            sentences=len(self.prompts),
            finished=len(done & set(self.prompts)),
            unended=tuple(sentence for sentence, answer in mine.items() if sentence in done and not answer.ended),
        )


class Reader:
    """Turns texts into passages with one tokenizer. Threads may share one."""

    def __init__(self, tokenizer: Any, context_tokens: int) -> None:
        """
        Args:
            context_tokens: how many tokens of prompt and answer together the model can hold.
        """
        self._tokenizer, self._context_tokens = tokenizer, context_tokens
        self.lock = threading.Lock()  # a fast tokenizer's settings are not its callers' own

    def length(self, text: str, direction: Direction, template: Template) -> Length:
        """How many sentences a text has, and whether its longest fits."""
        sentences = [clean(piece.text) for piece in split_text(text) if piece.is_sentence]
        sizes = [len(self._ids(sentence)) for sentence in sentences]
        limit = self._limit_tokens(template, direction)
        longest = max(range(len(sizes)), key=sizes.__getitem__, default=None)
        if longest is None:
            return Length(0, 0, limit, "")
        return Length(len(sizes), sizes[longest], limit, sentences[longest])

    def read(self, text: str, direction: Direction, template: Template, model: str) -> Passage:
        """The passage that this model is to translate.

        Raises:
            TranslationError: if a sentence is too long.
        """
        source, target = get_language(direction.source), get_language(direction.target)
        limit = self._limit_tokens(template, direction)
        pieces, prompts, longest_answers = tuple(split_text(text)), {}, {}
        for sentence in {clean(piece.text): None for piece in pieces if piece.is_sentence}:
            size = len(self._ids(sentence))
            if size > limit:
                raise TranslationError(
                    f"a sentence is too long: {size} tokens, and at most {limit} fit ({quote(sentence)})",
                    "divide it with full stops or line breaks",
                )
            with self.lock:
                prompts[sentence] = prompt_ids(self._tokenizer, template.translate(sentence, source, target))
            room = self._context_tokens - len(prompts[sentence])
            longest_answers[sentence] = max(1, min(room, _ANSWER_FACTOR * size + _ANSWER_SPARE_TOKENS))
        return Passage(model, template.stop, pieces, prompts, longest_answers)

    def _limit_tokens(self, template: Template, direction: Direction) -> int:
        """Longest sentence, in tokens, that leaves as much room again for its translation."""
        frame = template.translate("", get_language(direction.source), get_language(direction.target))
        return max(1, (self._context_tokens - len(self._ids(frame)) - 2) // 2)

    def _ids(self, text: str) -> list[int]:
        with self.lock:
            return plain_ids(self._tokenizer, text)


def in_batches(passages: Mapping[str, Passage], size: int, *, by_length: bool = True) -> Iterator[dict[str, Passage]]:
    """Sentences, with their passages, in groups; those of like length together, so that little is padding."""
    order = (
        sorted(passages, key=lambda sentence: len(passages[sentence].prompts[sentence]))
        if by_length
        else list(passages)
    )
    for begin in range(0, len(order), size):
        yield {sentence: passages[sentence] for sentence in order[begin : begin + size]}


def quote(sentence: str) -> str:
    """A sentence for a message, shortened."""
    return f"“{sentence[:60]}…”" if len(sentence) > 60 else f"“{sentence}”"
