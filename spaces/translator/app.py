"""The translation page: `python app.py` here, the entry of the Space on the Hub; `cogsym space serve` calls it too."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from typing import Any


def device_wrapper() -> Any:
    """`spaces.GPU` on a ZeroGPU Space, which must be imported before torch; None anywhere else.

    A folder named `spaces` on the path imports as an empty package, so the attribute decides.
    """
    try:
        gpu = getattr(importlib.import_module("spaces"), "GPU", None)
    except ImportError:
        return None
    return gpu(duration=60) if gpu is not None and os.environ.get("SPACES_ZERO_GPU") else None


def make_page(settings: Any = None, on_device: Any = None) -> Any:
    """The page over the models that the settings name; the environment's settings unless given.

    Raises:
        CogsymError: if there is no base to serve.
    """
    from catalogue import open_catalogue
    from feedback import FeedbackStore
    from page import build_page
    from settings import read_settings

    settings = settings or read_settings()
    store = FeedbackStore(settings.feedback) if settings.feedback else None
    return build_page(open_catalogue(settings), store, on_device)


def main() -> None:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    wrapper = device_wrapper()
    from toolkit.errors import CogsymError

    try:
        page = make_page(on_device=wrapper)
    except CogsymError as error:
        sys.exit(f"error: {error.message}\nhint: {error.hint}")
    from page import launch_options

    page.launch(mcp_server=importlib.util.find_spec("mcp") is not None, **launch_options())


if __name__ == "__main__":
    main()
