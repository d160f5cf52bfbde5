"""Language consistency: whether a model answers in the language that was asked for, and whether it is right.

The four scenarios of LinguaMap (arXiv 2601.20009): instruction and question, each in English or in the language itself.
The wording is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from toolkit.corpus.identification import codes_of, get_identifier
from toolkit.corpus.identifier import Identifier, is_language
from toolkit.errors import EvaluationError
from toolkit.evaluation.asking import Write
from toolkit.evaluation.drawing import Draw
from toolkit.evaluation.metrics import language_consistency, right_answers
from toolkit.evaluation.task import Group, Task, name_of_test
from toolkit.languages import get_language
from toolkit.test_sets import ConsistencySet, letter

ENGLISH = "eng"
RELIABLE = 0.95  # share of text in a language that an identifier should take for it


def scenarios(test_set: ConsistencySet, learned: str) -> tuple[str, ...]:
    """The languages of instruction and question, e.g. `eng>jav`; answers are always asked for in the one language.

    Args:
        learned: the language of a test set that names none.

    Raises:
        EvaluationError: if a test set in English says where its questions are in English.
    """
    language = test_set.language or learned
    has_english = bool(test_set.english or test_set.english_place)
    if language == ENGLISH and has_english:
        raise EvaluationError(
            f"{test_set.dataset} asks for answers in English and names its questions in English twice",
            "leave out `english`, `english_path` or `english_config`, or name another `language`",
        )
    prompts = dict.fromkeys((ENGLISH, language))
    questions = (ENGLISH, language) if has_english else (language,)
    return tuple(f"{prompt}>{question}" for prompt in prompts for question in questions)


def consistency_task(test_set: ConsistencySet, scenario: str, draw: Draw) -> Task:
    """The task of one scenario, e.g. `eng>jav`: an instruction in English before a question in Javanese.

    Raises:
        EvaluationError: if the language has no instruction, or the identifier does not know it.
        MissingPartError: if nothing is installed that identifies languages.
    """
    language = test_set.language or draw.language
    prompt_in, question_in = scenario.split(">")
    instruction = _instruction(test_set, prompt_in, language)
    identifier = _identifier_of(language, draw)
    rows = draw.rows(test_set)
    prefix = "" if question_in == language else "english_"
    name, size = name_of_test(test_set.dataset, language, "consistency"), len(scenarios(test_set, language))
    return Task(
        test=f"{name}_{prompt_in}-prompt_{question_in}-question",
        kind="consistency",
        dataset=f"{test_set.dataset}: prompt {prompt_in}, question {question_in}",
        direction=language,
        role=draw.role(language),
        rows=tuple(
            {
                "prompt": draw.template.instruct(instruction, _asked(row, prefix)),
                "source": row[prefix + "question"],
                "codes": list(codes_of(language)),
                "answers_are": test_set.answers_are,
                "accepted": list(row["answers"]),
                "reference": " | ".join(row["answers"]),
                "identifier": identifier.signature,
            }
            for row in rows.rows
        ),
        source=rows,
        wording=f"{draw.template.name}, instruction in {prompt_in}",
        shots=0,
        seed=draw.seed,
        asks=Write(draw.template.stop, test_set.max_new_tokens),
        metrics=(
            language_consistency(language, identifier.signature, _caution(identifier, language, rows.rows)),
            right_answers(test_set.answers_are),
        ),
        observe=_observer(identifier),
        results_in_lm_eval="consistency",
        group=Group(f"{name}_mean", f"{test_set.dataset}: mean of {size} scenarios", size),
    )


def _instruction(test_set: ConsistencySet, prompt_in: str, language: str) -> str:
    """What stands in front of the question; in English it names the language to answer in."""
    own = test_set.instructions.get(prompt_in) or _instructions().get(prompt_in, {}).get(test_set.answers_are)
    if own is None:
        raise EvaluationError(
            f"{test_set.dataset}: no instruction is known in {get_language(prompt_in).names.english} ({prompt_in})",
            f"write one in the recipe, `instructions: {{{prompt_in}: ...}}`, that asks for an answer in that language",
        )
    return own.replace("{language}", get_language(language).names.english)


@cache
def _instructions() -> dict[str, dict[str, str]]:
    text = Path(__file__).with_name("instructions.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def _identifier_of(language: str, draw: Draw) -> Identifier:
    identifier = get_identifier(draw.identifier)
    if not identifier.knows(codes_of(language)):
        raise EvaluationError(
            f"{identifier.name} does not know {get_language(language).names.english} ({language})",
            "download GlotLID (`hf download cis-lmu/glotlid model.bin`), or name another model with --identifier",
        )
    return identifier


def _caution(identifier: Identifier, language: str, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """A warning where the identifier misses the language in the test set's own questions too."""
    codes = codes_of(language)
    found = sum(is_language(identifier(row["question"])[0], codes) for row in rows)
    if found >= RELIABLE * len(rows):
        return None
    name = get_language(language).names.english
    return (
        f"{identifier.name} takes only {found / len(rows):.0%} of the test set's own questions in {name} for {name}; "
        "answers in it will be missed as often"
    )


def _observer(identifier: Identifier) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    signature = identifier.signature

    def observe(sample: Mapping[str, Any]) -> dict[str, Any]:
        """The language of an answer, unless this identifier has told it already."""
        if sample.get("identifier") == signature:
            return {}
        label, probability = identifier(sample["hypothesis"])
        return {"identified": label, "probability": probability, "identifier": signature}

    return observe


def _asked(row: Mapping[str, Any], prefix: str) -> str:
    """Passage, question and lettered options, in the language itself or, with the prefix `english_`, in English."""
    passage = [row[prefix + "passage"], ""] if row[prefix + "passage"] else []
    options = [f"{letter(index)}. {option}" for index, option in enumerate(row[prefix + "options"])]
    return "\n".join([*passage, row[prefix + "question"], *options])
