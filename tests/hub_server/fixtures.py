"""A Hub for one test: its own store and cache, a login, and a client that waits for nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import constants, file_download

from hub_server.server import TOKEN, HubServer


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub where you are logged in as `ana`, member of `org`; the client's cache is empty."""
    server = HubServer(tmp_path / "hub")
    use_hub(monkeypatch, server.endpoint, tmp_path / "cache")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.close()
    forget_connections()


def use_hub(monkeypatch: pytest.MonkeyPatch, endpoint: str, cache: Path) -> None:
    """Let the client ask this Hub, as HF_ENDPOINT would, without proxies, stored logins, Xet, and pauses."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "no-login"))
    # A trusted publisher's token is kept for the whole process, and another server does not know it.
    monkeypatch.setattr("huggingface_hub.utils._auth._OIDC_TOKEN_CACHE", None, raising=False)
    hurried = SimpleNamespace(sleep=lambda seconds: None, **{n: getattr(time, n) for n in ("time", "perf_counter")})
    for module in ("huggingface_hub.utils._http", "huggingface_hub.file_download"):
        monkeypatch.setattr(f"{module}.time", hurried)


def forget_connections() -> None:
    """Close what the client keeps open; another server may get the same port."""
    for name in ("close_session", "reset_sessions"):
        getattr(huggingface_hub, name, getattr(huggingface_hub.utils, name, lambda: None))()
