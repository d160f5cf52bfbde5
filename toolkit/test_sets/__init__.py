"""Test sets: what a recipe says of them, and their rows, read and checked."""

from toolkit.test_sets.kinds import (
    ConsistencySet,
    LikelihoodSet,
    MultipleChoiceSet,
    PerplexitySet,
    SentencePairs,
    SentimentSet,
    TestSet,
    TranslationSet,
    WordsSet,
)
from toolkit.test_sets.options import letter
from toolkit.test_sets.reading import digest_of_sentences, read_examples, read_rows, sentences

__all__ = [
    "ConsistencySet",
    "LikelihoodSet",
    "MultipleChoiceSet",
    "PerplexitySet",
    "SentencePairs",
    "SentimentSet",
    "TestSet",
    "TranslationSet",
    "WordsSet",
    "digest_of_sentences",
    "letter",
    "read_examples",
    "read_rows",
    "sentences",
]
