"""What can go wrong between a client and the small Hub, and when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Refuse:
    """The connection ends before the request is heard."""


@dataclass(frozen=True)
class Lose:
    """The request is carried out, but its answer never arrives."""


@dataclass(frozen=True)
class Status:
    """The request is answered with an error, and not carried out."""

    code: int
    message: str = "told to fail"
    error_code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Slow:
    """The answer takes its time."""

    seconds: float


@dataclass(frozen=True)
class Cut:
    """The body of the answer ends after so many bytes."""

    after_bytes: int


Fault = Refuse | Lose | Status | Slow | Cut


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    number: int
    method: str
    path: str
    range: str | None
    token: str | None
    host: str


class Faults:
    """Keeps a record of all requests, and decides which of them fail."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.rule: Callable[[Request], Fault | None] = lambda request: None
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget all requests, and let everything pass."""
        self.requests = []
        self.rule = lambda request: None

    def next(self, method: str, path: str, range_: str | None, token: str | None, host: str) -> Fault | None:
        with self._lock:
            request = Request(len(self.requests), method, path, range_, token, host)
            self.requests.append(request)
        # Outside of the lock: a rule may let two requests meet.
        return self.rule(request)

    def from_request(self, number: int, fault: Fault) -> None:
        """From this request on, the server is gone."""
        self.rule = lambda request: fault if request.number >= number else None

    def at_request(self, number: int, fault: Fault) -> None:
        """This one request fails."""
        self.rule = lambda request: fault if request.number == number else None

    def once(self, method: str, part: str, fault: Fault) -> None:
        """The next request of this method with this text in its path fails."""
        left = [fault]
        self.rule = lambda request: left.pop() if left and request.method == method and part in request.path else None

    def always(self, method: str, part: str, fault: Fault) -> None:
        """All requests of this method with this text in their path fail."""
        self.rule = lambda request: fault if request.method == method and part in request.path else None
