"""Likelihood: how well a model expects the translation that people wrote, which it shows before it can say it."""

from __future__ import annotations

from toolkit.evaluation.asking import Expect
from toolkit.evaluation.drawing import Draw
from toolkit.evaluation.metrics import BitsPerByte
from toolkit.evaluation.task import Task, name_of_test
from toolkit.languages import get_language, parse_direction
from toolkit.test_sets import LikelihoodSet


def likelihood_task(test_set: LikelihoodSet, text: str, draw: Draw) -> Task:
    """The task of one direction, e.g. `eng>jav`: prompts as in training, and the reference that would be right."""
    direction, template = parse_direction(text), draw.template
    source, target = get_language(direction.source), get_language(direction.target)
    rows, pool = draw.rows(test_set, text), draw.pool(test_set, text)
    drawn = draw.examples(pool, test_set.shots) if test_set.shots else []
    shots = [(row[direction.source], row[direction.target]) for row in drawn]
    return Task(
        test=name_of_test(test_set.dataset, text, "likelihood"),
        kind="likelihood",
        dataset=test_set.dataset,
        direction=text,
        role=draw.role(text),
        rows=tuple(
            {
                "prompt": template.translate(row[direction.source], source, target, shots),
                "text": template.completion(row[direction.target]),
            }
            for row in rows.rows
        ),
        source=rows,
        wording=template.name,
        shots=test_set.shots,
        seed=draw.seed,
        asks=Expect(),
        metrics=(BitsPerByte(),),
        results_in_lm_eval="expected",
    )
