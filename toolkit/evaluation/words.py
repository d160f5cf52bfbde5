"""Word translation: one word, asked for in quotation marks after other words of the same pair of languages.

The wording is that of Wendler et al. (2024, arXiv 2402.10588), which the CogSym paper uses.
"""

from __future__ import annotations

from toolkit.errors import EvaluationError
from toolkit.evaluation.asking import Write
from toolkit.evaluation.drawing import Draw
from toolkit.evaluation.metrics import AcceptedWords
from toolkit.evaluation.task import Task, name_of_test
from toolkit.languages import Language, get_language, parse_direction
from toolkit.test_sets import WordsSet


def words_task(test_set: WordsSet, text: str, draw: Draw) -> Task:
    """The task of one direction. Every word has examples of its own, none of which shows it or its answers.

    Where a cell holds several words, the first source word is asked for, and each target word is accepted.

    Raises:
        EvaluationError: if there are too few other words to draw examples from.
    """
    direction = parse_direction(text)
    source, target = get_language(direction.source), get_language(direction.target)
    rows = draw.rows(test_set, text)

    def words(row: dict[str, str], code: str) -> list[str]:
        return [word.strip() for word in row[code].split(test_set.separator) if word.strip()]

    every = [*(draw.pool(test_set, text) or draw.rows(test_set.model_copy(update={"limit": None}), text).rows)]
    asked = []
    for row in rows.rows:
        word, accepted = words(row, direction.source)[0], words(row, direction.target)
        taken = {word, *words(row, direction.source)}
        pool = [
            each
            for each in every
            if taken.isdisjoint(words(each, direction.source))
            and set(accepted).isdisjoint(words(each, direction.target))
        ]
        if len(pool) < test_set.shots:
            raise EvaluationError(
                f"{test_set.where}: {len(pool)} words beside '{word}', but {test_set.shots} examples are asked for",
                "give more words, a shots_path, or fewer shots",
            )
        shots = [
            _ask(words(each, direction.source)[0], source, target) + words(each, direction.target)[0] + '"\n'
            for each in draw.examples(pool, test_set.shots, salt=word)
        ]
        prompt = "".join(shots) + _ask(word, source, target)
        asked.append({"prompt": prompt, "source": word, "accepted": accepted, "reference": " | ".join(accepted)})
    return Task(
        test=name_of_test(test_set.dataset, text, "words"),
        kind="words",
        dataset=test_set.dataset,
        direction=text,
        role=draw.role(text),
        rows=tuple(asked),
        source=rows,
        wording="quoted words",
        shots=test_set.shots,
        seed=draw.seed,
        asks=Write('"', test_set.max_new_tokens, target="accepted"),
        metrics=(AcceptedWords(),),
    )


def _ask(word: str, source: Language, target: Language) -> str:
    return f'{source.names.own}: "{word}" - {target.names.own}: "'
