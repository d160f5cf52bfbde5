"""What visitors tell about a translation, kept as one line of JSON each; what people and models wrote stays apart."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, Protocol

from settings import Settings

LIMIT_A_MINUTE = 12  # of one visitor
LIMIT_ALL_A_MINUTE = 240  # of all together: a program may call itself a new visitor each time
LIMIT_BYTES = 256 * 1024 * 1024  # of one file; a full disk would take the page down with it
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
    base_licence: str | None = None  # what `model_output` is under


@dataclass(frozen=True)
class Health:
    """Whether what visitors tell arrives where it should."""

    state: Literal["kept_here", "waiting", "sent", "not_sent"]
    since: str = ""  # hours and minutes, UTC


class Sender(Protocol):
    """Takes what is in a folder elsewhere, in the background."""

    @property
    def file_name(self) -> str:
        """The file of this process; elsewhere it lies beside those of others."""

    def writing(self) -> AbstractContextManager[object]:
        """Nothing is sent inside of the block."""

    def health(self) -> Health: ...


class FeedbackStore:
    """Appends entries to a file in a folder. Threads may share one."""

    def __init__(self, folder: Path, sender: Sender | None = None) -> None:
        self.path = folder / (sender.file_name if sender else "feedback.jsonl")
        self._sender = sender
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, None] = OrderedDict.fromkeys(_stored(self.path))
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._all_times: deque[float] = deque()

    @property
    def health(self) -> Health:
        return self._sender.health() if self._sender else Health("kept_here")

    def add(self, entry: Entry, visitor: str) -> Outcome:
        """Keep an entry, unless it is there already, its visitor sends too many, or the disk refuses.

        Args:
            visitor: tells visitors apart within this process; it is never written.
        """
        digest = _digest(asdict(entry))
        with self._lock:
            if digest in self._seen:
                return "known_already"
            if not self._may_send(visitor):
                return "slow_down"
            row = {**asdict(entry), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
            try:
                with self._sender.writing() if self._sender else nullcontext():
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
            if end + len(line.encode()) > LIMIT_BYTES:
                raise OSError(f"{self.path.name} is full")
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
        if len(self._times) > REMEMBERED:
            self._times.popitem(last=False)
        for each in (times, self._all_times):
            while each and now - each[0] > 60:
                each.popleft()
        if len(times) >= LIMIT_A_MINUTE or len(self._all_times) >= LIMIT_ALL_A_MINUTE:
            return False
        times.append(now)
        self._all_times.append(now)
        return True


def open_feedback(settings: Settings) -> FeedbackStore | None:
    """Where this page keeps what visitors tell; None where it does not ask them."""
    if settings.feedback is None:
        return None
    if settings.feedback_dataset is None:
        return FeedbackStore(settings.feedback)
    from feedback_dataset import DatasetSender

    return FeedbackStore(settings.feedback, DatasetSender(settings.feedback, settings.feedback_dataset))


def _digest(values: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _stored(path: Path) -> Iterable[str]:
    """Digests of the last entries that an earlier page left here; lines that are no entries are passed over."""
    try:
        lines = deque(path.open(encoding="utf-8", errors="replace"), maxlen=REMEMBERED)
    except OSError:
        return
    known = {field.name for field in fields(Entry)}
    for line in lines:
        try:
            row = json.loads(line)
            yield _digest(asdict(Entry(**{name: value for name, value in row.items() if name in known})))
        except (ValueError, AttributeError, TypeError):
            continue
