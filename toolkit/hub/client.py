"""The one way to the Hub: its own client, with the login that is already on this machine."""

from __future__ import annotations

from huggingface_hub import HfApi

from toolkit import __version__


def hub_client(endpoint: str | None = None, token: str | bool | None = None) -> HfApi:
    """A client for this Hub.

    Args:
        endpoint: address of the Hub; default HF_ENDPOINT, else the public one.
        token: default the one of `hf auth login`, HF_TOKEN, or a trusted publisher's.
    """
    return HfApi(endpoint=endpoint, token=token, library_name="cogsym-toolkit", library_version=__version__)
