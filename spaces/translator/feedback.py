"""What visitors tell about a translation, kept as one line of JSON each; what people and models wrote stays apart."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections import OrderedDict, deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

LIMIT_A_MINUTE = 12  # of one visitor
REMEMBERED = 10_000  # entries that are recognised when they come again, and visitors that are counted

Opinion = Literal["good", "poor", "suggestion"]
Outcome = Literal["thanks", "known_already", "slow_down", "feedback_failed"]


@dataclass(frozen=True)
class Entry:
    """One opinion. `suggestion` is the visitor's own words, `model_output` never is."""

    source: str
    target: str
    text: str
    model_output: str
    model: str
    base: str
    opinion: Opinion
    suggestion: str | None = None


class FeedbackStore:
    """Appends entries to `feedback.jsonl` in a folder. Threads may share one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "feedback.jsonl"
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, entry: Entry, visitor: str) -> Outcome:
        """Keep an entry, unless it is there already, its visitor sends too many, or the disk refuses.

        Args:
            visitor: tells visitors apart within this process; it is never written.
        """
        digest = hashlib.sha256(json.dumps(asdict(entry), sort_keys=True).encode()).hexdigest()
        with self._lock:
            if digest in self._seen:
                return "known_already"
            if not self._may_send(visitor):
                return "slow_down"
            row = {**asdict(entry), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
            try:
                self._append(json.dumps(row, ensure_ascii=False) + "\n")
            except OSError:
                return "feedback_failed"
            self._seen[digest] = None
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
            return "thanks"

    def _append(self, line: str) -> None:
        """The whole line or nothing: a disk that fills up half-way leaves no half line behind."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab") as file:
            end = file.tell()
            try:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), end)
                raise

    def _may_send(self, visitor: str) -> bool:
        now = time.monotonic()
        times = self._times.setdefault(visitor, deque())
        self._times.move_to_end(visitor)
        while times and now - times[0] > 60:
            times.popleft()
        if len(self._times) > REMEMBERED:
            self._times.popitem(last=False)
        if len(times) >= LIMIT_A_MINUTE:
            return False
        times.append(now)
        return True
