"""One BLAS thread per thread of ours: matrix products inside of a pool must not start pools of their own."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def one_thread_each() -> AbstractContextManager[Any]:
    """Limit BLAS to one thread within the block; does nothing where threadpoolctl is not installed."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    return threadpool_limits(1, user_api="blas")  # type: ignore[no-any-return]
