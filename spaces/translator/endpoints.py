"""What programs can ask of the page: named endpoints for gradio_client, which are tools for agents (MCP), too."""

from __future__ import annotations

import threading
from typing import Any

import gradio as gr
import visits
from arrivals import reason
from catalogue import Catalogue
from interface_texts import say

from toolkit.errors import CogsymError
from toolkit.languages import Direction, get_language
from toolkit.routing import BASE


def add_endpoints(catalogue: Catalogue, model_queue: dict[str, Any]) -> None:
    """Add the endpoints to the page under construction.

    Args:
        model_queue: how events wait that need the model.
    """

    def translate(text: str, source: str, target: str, model: str = "") -> str:
        """Translate text.

        Args:
            text: what to translate; lines and paragraphs stay where they are.
            source: ISO 639-3 code of the language it is in, e.g. eng.
            target: ISO 639-3 code of the language it should be in, e.g. jav.
            model: name of a model as `languages` lists it; empty for the best one.
        """
        direction = _direction(catalogue, text, source, target)
        name = model or catalogue.model(direction)
        try:
            *_, last = catalogue.stream(text, direction, name, threading.Event())
        except CogsymError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return last.text

    def alternatives(text: str, source: str, target: str) -> list[dict[str, Any]]:
        """Find several translations of each sentence of a text.

        Args:
            text: what to translate.
            source: ISO 639-3 code of the language it is in, e.g. eng.
            target: ISO 639-3 code of the language it should be in, e.g. jav.

        Returns:
            For each sentence its translations, the likeliest first. The score is the mean log-probability of a
            translation's tokens: 0 is certain.
        """
        direction = _direction(catalogue, text, source, target)
        try:
            found = list(catalogue.alternatives(text, direction, threading.Event()))
        except CogsymError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return [
            {
                "sentence": one.sentence,
                "alternatives": [{"text": other.text, "score": round(other.score, 4)} for other in one.found],
            }
            for one in found
        ]

    def languages() -> list[dict[str, Any]]:
        """List the directions that can be translated, each with its models, the best first."""
        catalogue.look_soon()
        return [
            {
                "source": direction.source,
                "target": direction.target,
                "source_name": get_language(direction.source).names.english,
                "target_name": get_language(direction.target).names.english,
                "models": [*dict.fromkeys([*catalogue.models(direction), BASE])],
            }
            for direction in catalogue.directions
        ]

    gr.api(translate, api_name="translate", **model_queue)
    gr.api(alternatives, api_name="alternatives", **model_queue)
    gr.api(languages, api_name="languages")


def _direction(catalogue: Catalogue, text: str, source: str, target: str) -> Direction:
    """The direction, where this text can be translated in it; waits for the model, where that is still loading."""
    try:
        catalogue.wait()
    except Exception as error:
        raise gr.Error(say("en", "not_loaded", reason=reason(error)), print_exception=False) from error
    problem = visits.problem_with(catalogue, text, source, target, "en")
    if problem:
        raise gr.Error(problem, print_exception=False)
    return Direction(source, target)
