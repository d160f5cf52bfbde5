"""Translation: each pair of a test set in one direction, asked for as in training."""

from __future__ import annotations

from toolkit.evaluation.asking import Write
from toolkit.evaluation.drawing import Draw
from toolkit.evaluation.metrics import translation_metrics
from toolkit.evaluation.task import Task, name_of_test
from toolkit.languages import get_language, parse_direction
from toolkit.test_sets import TranslationSet


def translation_task(test_set: TranslationSet, text: str, draw: Draw) -> Task:
    """The task of one direction, e.g. `eng>jav`; the same worked examples stand before every sentence."""
    direction, template = parse_direction(text), draw.template
    source, target = get_language(direction.source), get_language(direction.target)
    rows, pool = draw.rows(test_set, text), draw.pool(test_set, text)
    drawn = draw.examples(pool, test_set.shots) if test_set.shots else []
    shots = [(row[direction.source], row[direction.target]) for row in drawn]
    return Task(
        test=name_of_test(test_set.dataset, text, "translation"),
        kind="translation",
        dataset=test_set.dataset,
        direction=text,
        role=draw.role(text),
        rows=tuple(
            {
                "prompt": template.translate(row[direction.source], source, target, shots),
                "source": row[direction.source],
                "reference": row[direction.target],
            }
            for row in rows.rows
        ),
        source=rows,
        wording=template.name,
        shots=test_set.shots,
        seed=draw.seed,
        asks=Write(template.stop, test_set.max_new_tokens),
        metrics=tuple(translation_metrics(spbleu=test_set.spbleu)),
    )
