"""Sentiment and questions with options: the likeliest answer counts."""

from __future__ import annotations

from typing import Any

from toolkit.errors import EvaluationError
from toolkit.evaluation.asking import Choose
from toolkit.evaluation.drawing import Draw
from toolkit.evaluation.metrics import MacroF1, right_choices
from toolkit.evaluation.task import Task, name_of_test
from toolkit.test_sets import MultipleChoiceSet, SentimentSet, letter


def sentiment_task(test_set: SentimentSet, draw: Draw) -> Task:
    """Texts to label, after as many worked examples of each label.

    Raises:
        EvaluationError: if the examples lack a label.
    """
    language = test_set.language or draw.language
    rows = draw.rows(test_set)
    labels, said = list(test_set.labels), list(test_set.labels.values())
    shots = _labelled_examples(test_set, draw)
    head = "".join(f"Text: {row['text']}\nSentiment: {test_set.labels[row['label']]}\n\n" for row in shots)
    return Task(
        test=name_of_test(test_set.dataset, language, "sentiment"),
        kind="sentiment",
        dataset=test_set.dataset,
        direction=language,
        role=draw.role(language),
        rows=tuple(
            {
                "prompt": f"{head}Text: {row['text']}\nSentiment:",
                "source": row["text"],
                "choices": said,
                "gold": labels.index(row["label"]),
                "reference": test_set.labels[row["label"]],
            }
            for row in rows.rows
        ),
        source=rows,
        wording="text and sentiment",
        shots=test_set.shots,
        seed=draw.seed,
        asks=Choose(),
        metrics=(MacroF1(tuple(said)), right_choices()),
    )


def multiple_choice_task(test_set: MultipleChoiceSet, draw: Draw) -> Task:
    """Questions with lettered options, after worked examples."""
    language = test_set.language or draw.language
    rows, pool = draw.rows(test_set), draw.pool(test_set)
    shots = draw.examples(pool, test_set.shots) if test_set.shots else []
    by_letter = test_set.says == "letter"
    head = "".join(f"{_question(row, by_letter)} {_answers(row, by_letter)[row['answer']]}\n\n" for row in shots)
    return Task(
        test=name_of_test(test_set.dataset, language, "multiple_choice"),
        kind="multiple_choice",
        dataset=test_set.dataset,
        direction=language,
        role=draw.role(language),
        rows=tuple(
            {
                "prompt": head + _question(row, by_letter),
                "source": row["question"],
                "choices": _answers(row, by_letter),
                "gold": row["answer"],
                "reference": row["options"][row["answer"]],
            }
            for row in rows.rows
        ),
        source=rows,
        wording="lettered options" if by_letter else "options as answers",
        shots=test_set.shots,
        seed=draw.seed,
        asks=Choose(),
        metrics=(right_choices(),),
    )


def _labelled_examples(test_set: SentimentSet, draw: Draw) -> list[dict[str, Any]]:
    """As many rows of each label, in an order drawn by the seed."""
    if not test_set.shots:
        return []
    pool = draw.pool(test_set)
    each = test_set.shots // len(test_set.labels)
    chosen = []
    for label in test_set.labels:
        of_label = [row for row in pool if row["label"] == label]
        if len(of_label) < each:
            raise EvaluationError(
                f"the examples for {test_set.dataset} hold {len(of_label)} rows with the label '{label}', "
                f"but {each} of each are asked for",
                "give another shots_path, or fewer shots",
            )
        chosen += draw.examples(of_label, each, salt=label)
    return draw.examples(chosen, len(chosen))


def _question(row: dict[str, Any], by_letter: bool) -> str:
    lines = [row["passage"]] if row["passage"] else []
    lines.append(f"Question: {row['question']}")
    if by_letter:
        lines += [f"{letter(index)}. {option}" for index, option in enumerate(row["options"])]
    return "\n".join([*lines, "Answer:"])


def _answers(row: dict[str, Any], by_letter: bool) -> list[str]:
    return [letter(index) for index in range(len(row["options"]))] if by_letter else list(row["options"])
