"""Pages over tiny models for tests of the Space: opened, filled with deltas that come and go, and closed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toolkit.cli.space import page_folder

sys.path.insert(0, str(page_folder()))

from catalogue import Catalogue, open_catalogue
from page import build_page, launch_options
from settings import Settings


def open_over(base: Path, *deltas: Path, **settings: Any) -> Catalogue:
    """A catalogue that looks for new deltas whenever it is told to."""
    return open_catalogue(Settings(base=str(base), deltas=tuple(map(str, deltas)), refresh_seconds=0, **settings))


@contextmanager
def served(catalogue: Catalogue, **options: Any) -> Iterator[str]:
    """The address of a page over this catalogue."""
    page = build_page(catalogue)
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, **options, **launch_options())
    try:
        yield address
    finally:
        page.close()
