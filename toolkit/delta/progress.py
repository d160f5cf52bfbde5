"""How far long work has come, counted by several threads and reported to one callable."""

from __future__ import annotations

import threading
from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and the bytes of it done so far and in total; from any thread, one at a time."""


class Meter:
    """Counts bytes of one step."""

    def __init__(self, progress: Progress | None, step: str, total_bytes: int) -> None:
        self._progress, self._step, self._total = progress, step, total_bytes
        self._done = 0
        self._lock = threading.Lock()
        if progress:
            progress(step, 0, total_bytes)

    def add(self, size_bytes: int) -> None:
        if self._progress:
            with self._lock:
                self._done += size_bytes
                self._progress(self._step, self._done, self._total)
