"""The translation page: `python app.py` here, the entry of the Space on the Hub; `cogsym space serve` calls it too."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import sys
from typing import Any

from device import Device, find_device
from gradio_import import import_gradio


def make_page(settings: Any = None, device: Device | None = None, *, strict: bool = False) -> tuple[Any, Any]:
    """The page over what the settings name, the environment's settings unless given, and the catalogue behind it.

    The model is loaded by the catalogue's `load_soon`, once the page answers. Only where cards are lent it is there
    when this returns, because ZeroGPU packs what was made before the page is launched.

    Args:
        strict: stop at a delta that is named and cannot be served, as far as small files tell; else it is left out.

    Raises:
        CogsymError: if there is no base to serve.
    """
    from catalogue import foresee
    from feedback import open_feedback
    from settings import read_settings

    settings = settings or read_settings()
    catalogue = foresee(settings, device, strict=strict)
    if catalogue.device.kind == "zerogpu":
        catalogue.load()
    import_gradio()
    from page import build_page

    return build_page(catalogue, open_feedback(settings)), catalogue


def main() -> None:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    device = find_device()  # first, because ZeroGPU has to be there before torch
    from toolkit.errors import CogsymError

    try:
        page, catalogue = make_page(device=device)
    except CogsymError as error:
        sys.exit(f"error: {error.message}\nhint: {error.hint}")
    from page import launch_options

    # A Space is told to stop by SIGTERM; what visitors told in the last minutes is sent on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    mcp = importlib.util.find_spec("mcp") is not None
    page.launch(mcp_server=mcp, prevent_thread_lock=True, **launch_options())
    catalogue.load_soon()
    page.block_thread()


if __name__ == "__main__":
    main()
