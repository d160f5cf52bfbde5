"""One request as the small Hub's functions see it, and what they answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub_server.store import Store


@dataclass
class Call:
    """One request, parsed."""

    store: Store
    endpoint: str
    cdn: str
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Any
    user: str | None
    body: bytes | Path

    def json(self) -> Any:
        assert isinstance(self.body, bytes)
        return json.loads(self.body or b"{}")

    def first(self, name: str) -> str | None:
        return self.query.get(name, [None])[0]


@dataclass
class Answer:
    """What goes back; a body on disk is streamed."""

    status: int = 200
    body: bytes | Path = b""
    headers: dict[str, str] = field(default_factory=dict)
    start: int = 0
    """First byte of a body on disk."""

    @property
    def size(self) -> int:
        return (self.body.stat().st_size - self.start) if isinstance(self.body, Path) else len(self.body)
