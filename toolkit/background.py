"""Work that is done again and again beside other work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeating(work: Callable[[], object], every_seconds: float) -> Iterator[None]:
    """Call `work` in a thread of its own, each time after so many seconds, until the block is left.

    Leaving waits for a call that has begun. `work` must not raise: that would end the calls unseen.
    """
    done = threading.Event()

    def watch() -> None:
        while not done.wait(every_seconds):
            work()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
