"""What machines read of a card: front matter with model-index, and `.eval_results/*.yaml`."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import yaml

from hub_cards.collect import is_hub_id
from hub_cards.facts import KIND_NAMES, CardFacts, ScoreRow
from hub_cards.text import one_line
from toolkit.errors import CardError
from toolkit.records import TaskKind

DELTA_TAG = "cogsym-delta"
COGSYM_ARXIV = "2604.00923"
# What the generator writes; any other key of an existing card was set by a person or by the Hub, and is kept.
GENERATED_KEYS = (
    "language",
    "license",
    "library_name",
    "pipeline_tag",
    "base_model",
    "base_model_relation",
    "datasets",
    "metrics",
    "tags",
    "widget",
    "model-index",
)
CO2_KEY, CO2_SOURCE = "co2_eq_emissions", "codecarbon"
_HUB_METRICS = {
    "chrF++": "chrf",
    "chrF": "chrf",
    "BLEU": "bleu",
    "spBLEU": "sacrebleu",
    "TER": "ter",
    "COMET-22": "comet",
}
_HUB_TASKS: dict[TaskKind, str] = {
    "translation": "translation",
    "likelihood": "translation",
    "words": "translation",
    "sentiment": "text-classification",
    "multiple_choice": "multiple-choice",
    "consistency": "text-generation",
    "perplexity": "text-generation",
}
_FRONT_MATTER = re.compile(r"\A(?:\ufeff)?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
# Words of this form mean themselves under YAML 1.1 and 1.2 alike; everything else is quoted.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./ -]*[A-Za-z0-9]|[A-Za-z]")
_NOT_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"))


def front_matter(facts: CardFacts) -> dict[str, Any]:
    """The metadata of the card, without nulls, local names, or codes that the Hub rejects."""
    fields: dict[str, Any] = {
        "language": [language.hub_code for language in facts.languages if language.hub_code],
        "license": facts.base_licence,
        "library_name": "cogsym-toolkit",
        "pipeline_tag": "translation",
    }
    if facts.base_on_hub:
        fields |= {"base_model": facts.base.id, "base_model_relation": "adapter"}
    sources = facts.training.data if facts.training else ()
    fields["datasets"] = list(dict.fromkeys(source.name for source in sources if is_hub_id(source.name)))
    fields["metrics"] = list(dict.fromkeys(_metric_type(row.metric) for row in facts.scores))
    fields["tags"] = list(
        dict.fromkeys(
            [
                DELTA_TAG,
                facts.selection.method,
                *(language.tag for language in facts.languages),
                f"arxiv:{COGSYM_ARXIV}",
            ]
        )
    )
    fields["widget"] = [
        {
            "example_title": example.direction,
            "text": one_line(example.source_text, 300),
            "output": {"text": one_line(example.adapted, 300)},
        }
        for example in facts.examples
        if example.source_text.strip() and example.adapted.strip()
    ]
    fields["model-index"] = model_index(facts)
    fields[CO2_KEY] = _emissions(facts)
    return {key: value for key, value in fields.items() if value}


def _emissions(facts: CardFacts) -> dict[str, Any]:
    """What training gave off, in grams, as the Hub shows it; empty where it is not known."""
    training = facts.training
    if training is None or training.emissions_grams is None or training.country is None:
        return {}
    return {
        "emissions": training.emissions_grams,
        "source": CO2_SOURCE,
        "training_type": "fine-tuning",
        "geographical_location": one_line(training.country),
        "hardware_used": one_line(training.hardware.device),
    }


def model_index(facts: CardFacts) -> list[dict[str, Any]]:
    """The adapted model's scores in the Hub's `model-index` form; empty where nothing was measured."""
    tasks: dict[str, list[ScoreRow]] = {}
    for row in facts.scores:
        if row.adapted is not None:
            tasks.setdefault(row.task, []).append(row)
    results = [
        {
            "task": {
                "type": _HUB_TASKS[rows[0].kind],
                "name": f"{KIND_NAMES[rows[0].kind].capitalize()} {one_line(rows[0].direction)}",
            },
            "dataset": {
                "type": rows[0].dataset if is_hub_id(rows[0].dataset) else slug(rows[0].dataset),
                "name": one_line(rows[0].dataset),
                "config": one_line(rows[0].direction.replace(">", "-")),
                "split": "test",
            },
            "metrics": [
                {
                    "type": _metric_type(row.metric),
                    "value": row.adapted.value,
                    "name": one_line(row.metric),
                    "config": one_line(row.signature),
                }
                for row in rows
                if row.adapted is not None
            ],
        }
        for rows in tasks.values()
    ]
    return [{"name": one_line(facts.name.rpartition("/")[2]), "results": results}] if results else []


def eval_results(facts: CardFacts) -> dict[str, str]:
    """`.eval_results/*.yaml` by file name, for test sets that are data sets on the Hub.

    Empty where the installed huggingface_hub does not know the format (it came with 1.33).
    """
    try:
        from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    except ImportError:
        return {}
    files: dict[str, list[Any]] = {}
    tasks: dict[str, ScoreRow] = {}
    for row in facts.scores:  # a benchmark has one number: the first metric, which is the headline
        if row.adapted is not None and is_hub_id(row.dataset):
            tasks.setdefault(row.task, row)
    for row in tasks.values():
        assert row.adapted is not None
        entry = EvalResultEntry(
            dataset_id=row.dataset,
            task_id=row.task,
            value=row.adapted.value,
            notes=one_line(f"{row.metric}, {row.direction}, {row.shots}-shot, {row.n} sentences, {row.signature}", 300),
        )
        files.setdefault(f"{slug(row.dataset)}.yaml", []).append(entry)
    return {name: dump_yaml(eval_result_entries_to_yaml(entries)) for name, entries in files.items()}


def kept_keys(card: str) -> dict[str, Any]:
    """The keys of an existing card that the generator never writes, such as `new_version` or `thumbnail`."""
    if _FRONT_MATTER.match(card) is None:
        return {}
    fields = read_front_matter(card)
    emissions = fields.get(CO2_KEY)
    if isinstance(emissions, dict) and emissions.get("source") == CO2_SOURCE:
        del fields[CO2_KEY]  # ours; a person's own figure, from whoever sells the power, stays
    return {key: value for key, value in fields.items() if key not in GENERATED_KEYS}


def write_front_matter(fields: dict[str, Any]) -> str:
    """The fields as a YAML block between `---` lines, read back and compared.

    Raises:
        CardError: if what a reader would see differs from what was meant.
    """
    block = f"---\n{dump_yaml(fields)}---\n"
    if read_front_matter(block) != fields:
        raise CardError("the card's front matter does not read back as it was written", "report this as a bug")
    return block


def read_front_matter(card: str) -> dict[str, Any]:
    """The metadata at the top of a card.

    Raises:
        CardError: if there is none, or it is not a YAML mapping.
    """
    match = _FRONT_MATTER.match(card)
    if match is None:
        raise CardError("the card has no front matter", "make it again with `cogsym card`")
    try:
        fields = yaml.safe_load(match.group(1))
    except yaml.YAMLError as error:
        raise CardError(f"the front matter is not YAML: {' '.join(str(error).split())}", "correct it") from error
    if not isinstance(fields, dict):
        raise CardError("the front matter is not a mapping", "make the card again with `cogsym card`")
    return fields


def split_card(card: str) -> tuple[str, str]:
    """Front matter (with its `---` lines; empty where there is none) and body."""
    match = _FRONT_MATTER.match(card)
    return (card[: match.end()], card[match.end() :]) if match else ("", card)


def dump_yaml(value: Any) -> str:
    """YAML on lines of any length, quoted wherever a reader could take a word for something else.

    Characters that nobody sees, such as marks that turn the writing direction, are written as escapes.
    """

    def dump(readable: bool) -> str:
        return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=readable, width=float("inf"))

    text = dump(True)
    return dump(False) if any(unicodedata.category(character) == "Cf" for character in text) else text


def slug(name: str) -> str:
    """The name in lower case letters, digits and dashes, for file names and Hub identifiers."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80] or "test-set"


def _metric_type(metric: str) -> str:
    return _HUB_METRICS.get(metric) or slug(metric).replace("-", "_")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # an anchor would tie two values together that only happen to be equal


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _NOT_WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _represent_text)
