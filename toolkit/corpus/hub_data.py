"""Data sets on the Hub, read through the `datasets` library, which keeps them on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from toolkit.corpus.table import Table
from toolkit.errors import CogsymError, CorpusError, HubError


def read_hub(name: str, *, config: str | None = None, split: str = "train", revision: str | None = None) -> Table:
    """The rows of one split of a data set; downloaded once, then read from the cache, offline too.

    Args:
        name: `ORG/NAME`.
        config: which of its configurations, where it has several.
        revision: commit, tag or branch.

    Raises:
        HubError: if it is not there, gated, or out of reach.
        CorpusError: if it has no such configuration or split.
    """
    from datasets import Dataset, load_dataset

    try:
        with _quiet():
            rows = load_dataset(name, config, split=split, revision=revision)
    except Exception as error:  # the library and the Hub's client raise a dozen kinds here
        raise _explain(error, name, config, split) from error
    assert isinstance(rows, Dataset)
    return Table(name, enumerate(rows, start=1), "row")  # type: ignore[arg-type]


def _explain(error: Exception, name: str, config: str | None, split: str) -> CogsymError:
    reason = str(error).strip().split("\n")[0] or type(error).__name__
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError) and "offline" not in reason.lower():
        return CorpusError(
            f"data set {name} cannot be used as {config or 'the default configuration'}, split {split}: {reason}",
            "name one that exists: `config: NAME`, `split: NAME`",
        )
    return HubError(
        f"data set {name} is neither in the cache here nor could it be fetched: {reason}",
        "check the name and the network (`hf auth login` where it is gated), or download it and use `path:`",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the library's bars and log: what goes wrong is reported as our own error."""
    from datasets.utils import logging

    had_bar, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bar:
            logging.enable_progress_bar()
