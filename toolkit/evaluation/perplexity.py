"""Perplexity: how well a model predicts text in one language."""

from __future__ import annotations

from toolkit.evaluation.asking import Read
from toolkit.evaluation.drawing import Draw
from toolkit.evaluation.metrics import BitsPerByte, WordPerplexity
from toolkit.evaluation.task import Task, name_of_test
from toolkit.test_sets import PerplexitySet


def perplexity_task(test_set: PerplexitySet, draw: Draw) -> Task:
    """Documents to read, each from its beginning."""
    language = test_set.language or draw.language
    rows = draw.rows(test_set)
    return Task(
        test=name_of_test(test_set.dataset, language, "perplexity"),
        kind="perplexity",
        dataset=test_set.dataset,
        direction=language,
        role=draw.role(language),
        rows=tuple({"prompt": "", "text": row["text"]} for row in rows.rows),
        source=rows,
        wording="plain text",
        shots=0,
        seed=draw.seed,
        asks=Read(),
        metrics=(BitsPerByte(), WordPerplexity()),
    )
