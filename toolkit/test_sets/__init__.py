"""Test sets: what a recipe says of them, and their rows, read and checked."""

from toolkit.test_sets.kinds import (
    MultipleChoiceSet,
    PerplexitySet,
    SentimentSet,
    TestSet,
    TranslationSet,
    WordsSet,
)
from toolkit.test_sets.reading import letter, read_examples, read_rows, sentences

__all__ = [
    "MultipleChoiceSet",
    "PerplexitySet",
    "SentimentSet",
    "TestSet",
    "TranslationSet",
    "WordsSet",
    "letter",
    "read_examples",
    "read_rows",
    "sentences",
]
