"""Reads a run folder's records into `CardFacts`, and refuses records that contradict each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import langcodes

from hub_cards.facts import (
    ADAPTED,
    BASE,
    CardFacts,
    DeltaFacts,
    Example,
    FullRun,
    LanguageFacts,
    ScoreRow,
    TrainingFacts,
)
from hub_cards.licences import licence_of
from hub_cards.verdict import compare, decimals_of, judge, measurement
from toolkit.errors import CardError, LanguageError
from toolkit.languages import get_language
from toolkit.languages.codes import usual_tag
from toolkit.records import DeltaConfig, DeltaInfo, EvaluationRecord, Score, TrainingRecord
from toolkit.run_folder import RunFolder

FULL = "full"
"""What the evaluation records of a full fine-tune call their model."""
EXAMPLES_PER_DIRECTION = 2
MAX_EXAMPLE_CHARACTERS = 1000
# Shown in sections of their own, so not among the recipe's changes.
_SHOWN_ELSEWHERE = ("language", "base", "base_revision", "data", "replay", "evaluation")
_HUB_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
# The tasks that every number of a row depends on; two records are put side by side only if these agree.
_TASK_KEYS = ("task", "direction", "role", "dataset", "data_fingerprint", "n", "shots", "seeds", "prompt", "kind")


def collect(run: RunFolder, name: str | None = None) -> CardFacts:
    """The facts of this run, from its records alone.

    Args:
        run: a run folder or a downloaded delta.
        name: what the card's commands call it: the Hub id `org/name` where it will be published, or the name of the
            folder. Default the Hub id that the last card said, else the run folder's own name.

    Raises:
        CardError: if a record that a card needs is missing or damaged, or two of them contradict each other.
    """
    config, delta = run.read_config(), run.read_delta_info()
    training = run.read_training() if run.training_record.is_file() else None
    evaluations = run.read_evaluations()
    _refuse_contradictions(config, delta, training, evaluations)
    scores = _score_rows(evaluations)
    if name is not None and not is_hub_id(name) and Path(name).name != name:
        raise CardError(f"'{name}' is neither a Hub id nor the name of a folder", "write org/name, or a plain name")
    name = name or _last_hub_id(run) or run.root.resolve().name
    tested = {record.direction for record in evaluations if record.model == ADAPTED}
    return CardFacts(
        name=name,
        published=is_hub_id(name),
        language=_language(config.language, known=False),
        languages=_languages(config, training),
        directions=config.directions,
        untested=tuple(direction for direction in config.directions if evaluations and direction not in tested),
        prompt=config.prompt,
        max_tokens=config.max_tokens,
        base=config.base,
        base_name=config.base.id.rpartition("/")[2],
        base_on_hub=is_hub_id(config.base.id),
        base_licence=licence_of(config.base),
        selection=config.selection,
        delta=_delta_facts(delta),
        training=_training_facts(training) if training else None,
        full=_full_run(run, training) if training else None,
        scores=scores,
        verdicts=judge(scores),
        examples=tuple(_examples(run, evaluations)),
        evaluation_versions=evaluations[0].versions if evaluations else {},
        contributors=_contributors(config.language),
    )


def is_hub_id(name: str) -> bool:
    """Whether this has the form of a Hub id, `org/name`."""
    return _HUB_ID.fullmatch(name) is not None


def _refuse_contradictions(
    config: DeltaConfig, delta: DeltaInfo, training: TrainingRecord | None, evaluations: list[EvaluationRecord]
) -> None:
    def differ(what: str, here: str, seen: str, there: str, expected: str, step: str) -> CardError:
        return CardError(f"{what}: {here} says {seen}, {there} says {expected}", f"run `{step}` again")

    digest = config.delta_sha256[:12]
    if delta.sha256 != config.delta_sha256:
        raise differ("the delta", "records/delta.json", delta.sha256[:12], "config.json", digest, "cogsym train")
    if delta.base_fingerprint != config.base_fingerprint:
        seen, expected = delta.base_fingerprint[:12], config.base_fingerprint[:12]
        raise differ("the base", "records/delta.json", seen, "config.json", expected, "cogsym train")
    if training and training.language != config.language:
        seen, expected = training.language, config.language
        raise differ("the language", "records/training.json", seen, "config.json", expected, "cogsym train")
    for record in evaluations:
        where = f"the evaluation {record.task} of {record.model}"
        if record.base_fingerprint != config.base_fingerprint:
            seen, expected = record.base_fingerprint[:12], config.base_fingerprint[:12]
            raise differ("the base", where, seen, "config.json", expected, "cogsym evaluate")
        if record.model == ADAPTED and record.delta_sha256 != config.delta_sha256:
            seen = (record.delta_sha256 or "none")[:12]
            raise differ("the delta", where, seen, "config.json", digest, "cogsym evaluate")


def _language(code: str, *, known: bool) -> LanguageFacts:
    try:
        language = get_language(code)
    except LanguageError:  # a delta may be older or newer than this registry
        hub_code = usual_tag(code) if langcodes.tag_is_valid(code) else None
        return LanguageFacts(code=code, tag=code, hub_code=hub_code, english=code, known=known)
    return LanguageFacts(
        code=code,
        tag=language.tag,
        hub_code=language.hub_code,
        english=language.names.english,
        own=language.names.own,
        spoken_in=language.spoken_in,
        known=known,
    )


def _languages(config: DeltaConfig, training: TrainingRecord | None) -> tuple[LanguageFacts, ...]:
    codes = [config.language, *(part for direction in config.directions for part in direction.split(">"))]
    codes += config.known_languages
    if training:
        codes += [code for source in training.data for code in source.languages]
    return tuple(_language(code, known=code != config.language) for code in dict.fromkeys(codes))


def _contributors(code: str) -> tuple[str, ...]:
    try:
        return tuple(person.name for person in get_language(code).contributors)
    except LanguageError:
        return ()


def _delta_facts(delta: DeltaInfo) -> DeltaFacts:
    changed = [tensor for tensor in delta.tensors if tensor.changed]
    return DeltaFacts(
        file=delta.file,
        size_bytes=delta.size_bytes,
        sha256=delta.sha256,
        base_size_bytes=delta.base.size_bytes,
        share_of_base=round(delta.size_bytes / delta.base.size_bytes, 4) if delta.base.size_bytes else 0.0,
        bits_per_weight=round(delta.bits_per_weight, 2),
        changed_tensors=len(changed),
        changed_weights=sum(tensor.changed for tensor in changed),
        weights=sum(tensor.weights for tensor in changed),
        layers=tuple(sorted({tensor.layer for tensor in changed if tensor.layer is not None})),
        outside=tuple(tensor.name for tensor in changed if tensor.layer is None),
        base_fingerprint=delta.base_fingerprint,
        merged_fingerprint=delta.merged_fingerprint,
    )


def _training_facts(training: TrainingRecord) -> TrainingFacts:
    fields = training.model_dump(include=set(TrainingFacts.model_fields))
    fields["recipe_changes"] = {
        key: value for key, value in training.recipe_changes.items() if key not in _SHOWN_ELSEWHERE
    }
    for loss in ("first_loss", "final_loss", "held_out_loss"):
        fields[loss] = None if fields[loss] is None else round(fields[loss], 3)
    return TrainingFacts.model_validate(fields)


def same_data(one: TrainingRecord, other: TrainingRecord) -> bool:
    """Whether two runs were trained on the same rows, each source as often."""

    def sources(record: TrainingRecord) -> list[tuple[object, ...]]:
        return sorted((source.fingerprint, source.role, source.kind, source.weight) for source in record.data)

    return sources(one) == sources(other)


def _full_run(run: RunFolder, training: TrainingRecord) -> FullRun | None:
    if not run.full_training_record.is_file():
        return None
    full = TrainingRecord.read(run.full_training_record)
    if not same_data(training, full):
        raise CardError(
            f"the full fine-tune in records/{run.full_training_record.name} was trained on other rows",
            "take one over that fits: `cogsym card RUN --full FULL`; or delete it with records/evaluation/*.full.json",
        )
    return FullRun(
        trained_weights=full.selection.trained_weights,
        steps=full.steps,
        seconds=full.seconds,
        device=full.hardware.device,
        recipe_differences={
            key: value for key, value in full.recipe.items() if key != "select" and training.recipe.get(key) != value
        },
    )


def task_of(record: EvaluationRecord) -> tuple[object, ...]:
    """What two records must share to stand in one row."""
    return tuple(getattr(record, key) for key in _TASK_KEYS)


def _score_rows(evaluations: list[EvaluationRecord]) -> tuple[ScoreRow, ...]:
    """Rows with every model measured on them: the new language first, translation before the rest, else as recorded."""
    groups: dict[tuple[object, ...], list[EvaluationRecord]] = {}
    for record in evaluations:
        groups.setdefault(task_of(record), []).append(record)
    rows = []
    for records in groups.values():
        metrics = dict.fromkeys(score.metric for record in records for score in record.scores)
        rows += [_score_row(records, metric) for metric in metrics]
    return tuple(sorted(rows, key=lambda row: (row.role != "target", row.kind != "translation")))


def _score_row(records: list[EvaluationRecord], metric: str) -> ScoreRow:
    scores: dict[str, Score] = {}
    for record in sorted(records, key=lambda record: {BASE: 0, ADAPTED: 1}.get(record.model, 2)):
        score = record.score(metric)
        if score is None:
            continue
        if record.model in scores:
            raise CardError(
                f"two evaluation records of {record.model} on {record.task} in direction {record.direction}",
                "delete the one that does not count from records/evaluation",
            )
        scores[record.model] = score
    signatures = {score.signature for score in scores.values()}
    first = records[0]
    if len(signatures) > 1:
        raise CardError(
            f"{metric} on {first.task} was computed in two ways: {' and '.join(sorted(signatures))}",
            "run `cogsym evaluate` again",
        )
    decimals = decimals_of(metric, [score.value for score in scores.values()])
    measured = tuple(measurement(model, score, decimals) for model, score in scores.items())
    models = {measurement.model: measurement for measurement in measured}
    p_value = scores[ADAPTED].p_value if ADAPTED in scores else None
    source, _, target = first.direction.partition(">")
    lower_is_better = any(score.lower_is_better for score in scores.values())
    return ScoreRow(
        **{key: getattr(first, key) for key in _TASK_KEYS},
        source=_language(source, known=True).english,
        target=_language(target, known=True).english if target else "",
        lower_is_better=lower_is_better,
        decoding=first.decoding,
        metric=metric,
        decimals=decimals,
        signature=signatures.pop(),
        measurements=measured,
        p_value=p_value,
        caution="; ".join(dict.fromkeys(score.caution for score in scores.values() if score.caution)) or None,
        change=compare(models.get(BASE), models.get(ADAPTED), p_value, lower_is_better=lower_is_better),
    )


def _examples(run: RunFolder, evaluations: list[EvaluationRecord]) -> Iterable[Example]:
    """The first sentences of each test set in the new language: not picked, so as good as the rest."""
    bases = {(record.task, record.data_fingerprint): record for record in evaluations if record.model == BASE}
    for record in evaluations:
        if record.model != ADAPTED or record.role != "target" or record.kind != "translation":
            continue
        base = bases.get((record.task, record.data_fingerprint))
        before = _read_samples(run.samples, base) if base else []
        for index, sample in enumerate(_read_samples(run.samples, record)):
            yield Example(
                direction=record.direction,
                source_text=sample["source"],
                reference=sample["reference"],
                base=before[index]["hypothesis"] if index < len(before) else None,
                adapted=sample["hypothesis"],
            )


def _read_samples(folder: Path, record: EvaluationRecord) -> list[dict[str, str]]:
    if not record.samples:
        return []
    path = folder / Path(record.samples[0]).name
    try:
        with path.open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in islice(file, EXAMPLES_PER_DIRECTION)]
        keys = ("source", "reference", "hypothesis")
        return [{key: str(row[key])[:MAX_EXAMPLE_CHARACTERS] for key in keys} for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CardError(
            f"the samples {path.name} of {record.task} cannot be read: {error.__class__.__name__}",
            "run `cogsym evaluate` again",
        ) from error


def _last_hub_id(run: RunFolder) -> str | None:
    """The Hub id that an earlier card was made for, so that making it again does not lose it."""
    if not run.card_facts.is_file():
        return None
    try:
        name = json.loads(run.card_facts.read_text(encoding="utf-8"))["name"]
    except (OSError, ValueError, KeyError, TypeError):  # written by another version: start afresh
        return None
    return name if isinstance(name, str) and is_hub_id(name) else None
