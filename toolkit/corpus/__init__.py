"""Text in files and Hub data sets: read as a stream, cleaned, compared, and fingerprinted."""

from toolkit.corpus.broken import BrokenRow, OnBroken
from toolkit.corpus.cleaning import Form, clean, comparable, compose, instructions_form, pairs_form, text_form
from toolkit.corpus.opening import open_place
from toolkit.corpus.overlap import SentenceIndex
from toolkit.corpus.rows import Rows, collect, read_instructions, read_pairs
from toolkit.corpus.table import Table, column_names, read_file

__all__ = [
    "BrokenRow",
    "Form",
    "OnBroken",
    "Rows",
    "SentenceIndex",
    "Table",
    "clean",
    "collect",
    "column_names",
    "comparable",
    "compose",
    "instructions_form",
    "open_place",
    "pairs_form",
    "read_file",
    "read_instructions",
    "read_pairs",
    "text_form",
]
