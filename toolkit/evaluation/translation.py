"""Translation: sentence pairs in one direction, asked for as in training; to be written, or only to be expected.

How well a model expects the translation that people wrote shows long before it can write one that is readable.
"""

from __future__ import annotations

from typing import Any

from toolkit.evaluation.asking import Asking, Expect, Write
from toolkit.evaluation.drawing import Draw
from toolkit.evaluation.metrics import BitsPerByte, Metric, translation_metrics
from toolkit.evaluation.task import Task, name_of_test
from toolkit.languages import get_language, parse_direction
from toolkit.records import TaskKind
from toolkit.test_sets import LikelihoodSet, TranslationSet


def translation_task(test_set: TranslationSet | LikelihoodSet, text: str, draw: Draw) -> Task:
    """The task of one direction, e.g. `eng>jav`; the same worked examples stand before every sentence."""
    direction, template = parse_direction(text), draw.template
    source, target = get_language(direction.source), get_language(direction.target)
    rows, pool = draw.rows(test_set, text), draw.pool(test_set, text)
    drawn = draw.examples(pool, test_set.shots) if test_set.shots else []
    shots = [(row[direction.source], row[direction.target]) for row in drawn]
    kind: TaskKind = test_set.kind
    asks: Asking
    metrics: list[Metric]
    if isinstance(test_set, TranslationSet):
        asks = Write(template.stop, test_set.max_new_tokens)
        metrics, in_lm_eval = translation_metrics(spbleu=test_set.spbleu), None
    else:
        asks, metrics, in_lm_eval = Expect(), [BitsPerByte()], "expected"

    def asked(row: dict[str, Any]) -> dict[str, str]:
        sentence, translation = row[direction.source], row[direction.target]
        prompt = template.translate(sentence, source, target, shots)
        if kind == "likelihood":
            return {"prompt": prompt, "text": template.completion(translation)}
        return {"prompt": prompt, "source": sentence, "reference": translation}

    return Task(
        test=name_of_test(test_set.dataset, text, kind),
        kind=kind,
        dataset=test_set.dataset,
        direction=text,
        role=draw.role(text),
        rows=tuple(map(asked, rows.rows)),
        source=rows,
        wording=template.name,
        shots=test_set.shots,
        seed=draw.seed,
        asks=asks,
        metrics=tuple(metrics),
        results_in_lm_eval=in_lm_eval,
    )
