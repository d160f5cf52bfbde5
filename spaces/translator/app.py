"""The translation page: `python app.py` here, the entry of the Space on the Hub; `cogsym space serve` calls it too."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import sys
from typing import Any

from device import Device, find_device


def make_page(settings: Any = None, device: Device | None = None) -> Any:
    """The page over the models that the settings name; the environment's settings unless given.

    Raises:
        CogsymError: if there is no base to serve.
    """
    from catalogue import open_catalogue
    from feedback import open_feedback
    from page import build_page
    from settings import read_settings

    settings = settings or read_settings()
    return build_page(open_catalogue(settings, device), open_feedback(settings))


def main() -> None:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    device = find_device()  # first, because ZeroGPU has to be there before torch
    from toolkit.errors import CogsymError

    try:
        page = make_page(device=device)
    except CogsymError as error:
        sys.exit(f"error: {error.message}\nhint: {error.hint}")
    from page import launch_options

    # A Space is told to stop by SIGTERM; what visitors told in the last minutes is sent on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    page.launch(mcp_server=importlib.util.find_spec("mcp") is not None, **launch_options())


if __name__ == "__main__":
    main()
