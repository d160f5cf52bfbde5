"""Which of the models over one base translates in which direction, best first."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations

from toolkit.errors import TranslationError
from toolkit.languages import Direction, Language, get_language, parse_direction
from toolkit.prompts import Template, get_template
from toolkit.records import DeltaConfig, EvaluationRecord, Score
from toolkit.run_folder import RunFolder

BASE = "base"  # the name of the unadapted model
METRIC = "chrF++"  # ranks models where both were measured


@dataclass(frozen=True)
class Adaptation:
    """One delta that is ready to be switched on."""

    name: str  # as `model=` takes it
    run: RunFolder
    config: DeltaConfig
    template: Template
    evaluations: tuple[EvaluationRecord, ...]

    @property
    def language(self) -> Language:
        return get_language(self.config.language)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Directions that it was trained on."""
        return tuple(parse_direction(text) for text in self.config.directions)

    def score(self, direction: Direction, model: str = "adapted", metric: str = METRIC) -> Score | None:
        """What this adaptation, or the base beside it, scored in a direction; None where nobody measured."""
        for record in self.evaluations:
            if record.model == model and record.direction == str(direction) and (score := record.score(metric)):
                return score
        return None


def read_adaptation(name: str, run: RunFolder) -> Adaptation:
    """The adaptation in this folder, with what is known about it.

    Raises:
        CogsymError: if its config or a record cannot be read, or names an unknown language or prompt.
    """
    config = run.read_config()
    adaptation = Adaptation(name, run, config, get_template(config.prompt), tuple(run.read_evaluations()))
    for code in {config.language, *config.known_languages}:
        get_language(code)
    for direction in adaptation.directions:
        get_language(direction.source), get_language(direction.target)
    return adaptation


def free_name(wanted: str, taken: Container[str]) -> str:
    """This name, or this name with the first number that makes it one's own."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def routes(adaptations: Mapping[str, Adaptation], known: Iterable[str]) -> dict[Direction, tuple[str, ...]]:
    """Models that serve each direction, the best first.

    A direction that deltas were trained on is theirs, ranked by their scores. Between languages that the base knows,
    the base and the adaptations that kept those languages compete: measured ones rank by score, and without
    measurements the base, which nothing was done to, comes first.

    Args:
        adaptations: by name.
        known: ISO 639-3 codes of languages that the base itself knows, beside those that the deltas name.
    """
    serving: dict[Direction, list[tuple[float, str]]] = {}
    for adaptation in adaptations.values():
        for direction in adaptation.directions:
            serving.setdefault(direction, []).append((_rank(adaptation, direction, "adapted"), adaptation.name))
    known = set(known).union(*(adaptation.config.known_languages for adaptation in adaptations.values()))
    for pair in permutations(sorted(known), 2):
        direction = Direction(*pair)
        if direction in serving:
            continue
        keepers = [one for one in adaptations.values() if set(pair) <= set(one.config.known_languages)]
        base = max((_rank(one, direction, BASE) for one in adaptations.values()), default=-1.0)
        serving[direction] = [(base, BASE)]
        serving[direction] += [(_rank(one, direction, "adapted"), one.name) for one in keepers]
    return {
        direction: tuple(name for _, name in sorted(models, key=lambda model: -model[0]))
        for direction, models in sorted(serving.items())
    }


def require_route(
    served: Mapping[Direction, tuple[str, ...]], direction: Direction, model: str | None, names: Iterable[str]
) -> str:
    """The model to use in a direction: the one asked for, or the best.

    Raises:
        TranslationError: if the model does not exist, or no model serves the direction.
    """
    if model is not None:
        if model not in {BASE, *names}:
            raise TranslationError(f"no model named '{model}'", f"use one of: {', '.join([BASE, *names])}")
        return model
    if direction not in served:
        offered = ", ".join(str(one) for one in served) or "none"
        raise TranslationError(f"no model here translates {direction}", f"directions: {offered}")
    return served[direction][0]


def _rank(adaptation: Adaptation, direction: Direction, model: str) -> float:
    score = adaptation.score(direction, model)
    return score.value if score else -1.0
