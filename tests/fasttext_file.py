"""Writes a fastText classifier that knows a few words of each language, in the format that fastText reads."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

MAGIC, VERSION = 793712314, 12
SOFTMAX, SUPERVISED = 3, 3
WORD, LABEL = 0, 1


def write_classifier(path: Path, words: Mapping[str, Sequence[str]]) -> Path:
    """A model whose every word votes for one label; it has no pieces of words, so other words tell it nothing.

    Args:
        words: the words of each label, which is written without `__label__`.
    """
    labels = list(words)
    known = [(word, labels.index(label)) for label in labels for word in words[label]]
    known.append(("</s>", -1))  # the end of a line, which fastText adds to every text; it votes for none
    width = len(labels)
    # dim, window, epochs, min count, negatives, word n-grams, loss, model, buckets, shortest and longest piece, rate
    arguments = (width, 5, 1, 1, 5, 1, SOFTMAX, SUPERVISED, 0, 0, 0, 100)
    content = struct.pack("<2i", MAGIC, VERSION) + struct.pack("<12id", *arguments, 1e-4)
    entries = [(word, WORD) for word, _ in known] + [(f"__label__{label}", LABEL) for label in labels]
    content += struct.pack("<3i2q", len(entries), len(known), len(labels), len(entries), -1)
    content += b"".join(text.encode() + b"\0" + struct.pack("<qb", 1, kind) for text, kind in entries)
    votes = [[8.0 * (column == label) for column in range(width)] for _, label in known]
    identity = [[float(column == row) for column in range(width)] for row in range(width)]
    for matrix in (votes, identity):
        content += struct.pack("<?2q", False, len(matrix), width)
        content += b"".join(struct.pack(f"<{width}f", *row) for row in matrix)
    path.write_bytes(content)
    return path
