"""Something slow that is made in the background, once; who needs it waits, and learns why it could not be made."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

log = logging.getLogger("cogsym.page")

Made = TypeVar("Made")
State = Literal["not begun", "loading", "ready", "failed"]
LOOK_SECONDS = 0.1  # how often somebody who waits looks whether they still want to


class Loading(Generic[Made]):
    """Makes something when it is told to. Threads may share one."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._changed = threading.Condition()
        self.state: State = "not begun"
        self.value: Made | None = None
        self.error: Exception | None = None

    def run(self) -> Made:
        """Make it here and now, unless it is made already.

        Raises:
            Exception: whatever making it raised.
        """
        if self._begin():
            self._work()
        made = self.wait()
        assert made is not None
        return made

    def start(self) -> None:
        """Make it in a thread of its own; one that failed is tried again. An error goes into the log."""
        if self._begin():
            threading.Thread(target=self._work, name="load the model", daemon=True).start()

    def wait(self, stop: threading.Event | None = None) -> Made | None:
        """What was made, once it is there; None if `stop` was set before.

        Raises:
            Exception: whatever making it raised.
        """
        with self._changed:
            while self.state in ("not begun", "loading"):
                if stop is not None and stop.is_set():
                    return None
                self._changed.wait(LOOK_SECONDS)
            if self.error is not None:
                # Each time it is raised it would gather the frames of who waits, and with them what they wrote.
                raise self.error.with_traceback(None)
            return self.value

    def _begin(self) -> bool:
        with self._changed:
            if self.state in ("loading", "ready"):
                return False
            self.state, self.error = "loading", None
            return True

    def _work(self) -> None:
        try:
            value = self._make()
        except Exception as error:  # a strange file may fail in any way; whoever waits is told
            log.error("the model could not be loaded: %s", error, exc_info=_unexpected(error))
            self._end("failed", None, error)
        else:
            self._end("ready", value, None)

    def _end(self, state: State, value: Made | None, error: Exception | None) -> None:
        with self._changed:
            self.value, self.error, self.state = value, error, state
            self._changed.notify_all()


def _unexpected(error: Exception) -> Exception | None:
    """The error where its traceback is needed to understand it."""
    from toolkit.errors import CogsymError

    return None if isinstance(error, CogsymError) else error
