"""A visitor as the server meets one: asks over HTTP what a browser asks to translate, and reads the stream."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
from gradio_client.utils import apply_diff

TRANSLATION, PROBLEM = 0, 3  # places among the outputs of the page's own event


@dataclass(frozen=True)
class Visit:
    """What came of one translation, and when."""

    text: str
    problem: str
    first_seconds: float | None
    """Until the first words; None where there were none."""
    seconds: float
    """Until the end."""


def translate_event(address: str) -> int:
    """The number of the event behind the button that translates."""
    config = httpx.get(f"{address}config", timeout=60).json()
    button = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == "go")
    return int(next(one["id"] for one in config["dependencies"] if [button, "click"] in one["targets"]))


def visit(address: str, event: int, text: str, source: str, target: str, timeout_seconds: float = 300) -> Visit:
    """Translate as a visitor of one's own.

    Raises:
        RuntimeError: if the server reports an error, or ends the stream early.
    """
    asked = {"data": [text, source, target, False], "fn_index": event, "session_hash": (session := uuid.uuid4().hex)}
    begin, first = time.perf_counter(), None
    shown: list[Any] = []
    with httpx.Client(base_url=address, timeout=timeout_seconds) as client:
        joined = client.post("gradio_api/queue/join", json=asked).json()
        if "event_id" not in joined:
            raise RuntimeError(f"not let into the queue: {joined}")
        with client.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("msg") == "process_generating":
                    changes = message["output"]["data"]
                    shown = (
                        [apply_diff(old, new) for old, new in zip(shown, changes, strict=True)] if shown else changes
                    )
                    if first is None and _words(shown[TRANSLATION]):
                        first = time.perf_counter() - begin
                elif message.get("msg") == "process_completed":
                    if not message["success"]:
                        raise RuntimeError(str(message["output"]))
                    words, problem = _words(shown[TRANSLATION]), str(shown[PROBLEM] or "")
                    return Visit(words, problem, first, time.perf_counter() - begin)
    raise RuntimeError("the stream ended early")


def _words(value: Any) -> str:
    return value if isinstance(value, str) else ""
