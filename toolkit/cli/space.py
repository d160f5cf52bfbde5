"""`cogsym space`: the page in which people try languages in their browser."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.console import err, out, quiet_libraries
from toolkit.cli.space_push import push
from toolkit.errors import MissingPartError, OutputError

app = typer.Typer(no_args_is_help=True, help="Try languages in the browser.")
app.command()(push)


@app.command()
def serve(
    delta: Annotated[
        list[str] | None,
        typer.Option(help="Run folder, downloaded delta, Hub id, or Hub id@revision; give it again for more."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="pocket, a folder, or a Hub id; default the base that the first delta names.")
    ] = None,
    base_revision: Annotated[str | None, typer.Option(help="Commit of a base on the Hub, with --base.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port on this machine; default the first free one from 7860.")
    ] = None,
    feedback: Annotated[
        Path | None, typer.Option(help="Folder for what visitors tell; without it they are not asked.")
    ] = None,
    feedback_dataset: Annotated[
        str | None, typer.Option(help="Data set on the Hub to which that folder is sent every few minutes.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of deltas; one that comes into it appears on the page.")
    ] = None,
    owner: Annotated[
        list[str] | None,
        typer.Option(help="Account on the Hub; each delta that it publishes for this base appears on the page."),
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
) -> None:
    """Serve the translation page on this machine, until Ctrl-C.

    Example: cogsym space serve --delta runs/jav --delta runs/sun
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it when it is imported
    sys.path.insert(0, str(page_folder()))
    # The page is a flat folder, as a Space on the Hub has it; its modules are found through the path alone.
    from app import make_page  # type: ignore[import-not-found]
    from device import find_device  # type: ignore[import-not-found]
    from settings import Settings  # type: ignore[import-not-found]

    settings = Settings(
        base=base,
        base_revision=base_revision,
        deltas=tuple(delta or ()),
        folder=folder,
        owners=tuple(owner or ()),
        feedback=feedback or (Path("feedback") if feedback_dataset else None),
        feedback_dataset=feedback_dataset,
    )
    blocks, catalogue = make_page(settings, find_device(), strict=True)
    from page import launch_options  # type: ignore[import-not-found]

    try:
        with redirect_stdout(StringIO()):  # what Gradio prints names another address before the page's
            _, address, _ = blocks.launch(
                server_name="127.0.0.1",
                server_port=port,
                inbrowser=open_browser,
                quiet=True,
                share=False,
                prevent_thread_lock=True,
                mcp_server=find_spec("mcp") is not None,
                **launch_options(),
            )
    except OSError as error:
        raise OutputError(f"no port for the page: {error}", "choose another one with --port") from error
    out.print(f"The page is at {address}", soft_wrap=True)
    err.print("loading the model ...", style="dim")
    quiet_libraries()
    catalogue.load_soon()
    err.print("Ctrl-C stops it.", style="dim")
    blocks.block_thread()


def page_folder() -> Path:
    """Where the page's files are: `toolkit/space` in an installed wheel, `spaces/translator` in a source checkout.

    Raises:
        MissingPartError: if neither is there.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "space", package.parent / "spaces" / "translator"):
        if (folder / "app.py").is_file():
            return folder
    raise MissingPartError("the page is not part of this installation", "reinstall cogsym-toolkit")
