"""What this machine offers, and the words for it. Graphics cards are stand-ins here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from toolkit.environment import free_card_bytes, free_memory_bytes, hardware
from toolkit.selection import fisher

GIB = 2**30


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cards of 24 GiB. On the first, the current one, 9 GiB are torch's, of which it uses 2."""
    driver_left, reserved, allocated = {0: 14 * GIB, 1: 20 * GIB}, {0: 9 * GIB, 1: 0}, {0: 2 * GIB, 1: 0}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (driver_left[device or 0], 24 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device=None: reserved[device or 0])
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device=None: allocated[device or 0])


@pytest.mark.usefixtures("cards")
def test_what_torch_keeps_of_a_card_without_using_it_is_free() -> None:
    assert free_memory_bytes() == (14 + 9 - 2) * GIB
    assert free_card_bytes(1) == 20 * GIB


def test_layers_are_ranked_with_what_is_free_on_the_models_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fisher, "free_card_bytes", lambda device: {"cuda:1": 5}[str(device)])
    assert fisher._free_bytes(SimpleNamespace(device=torch.device("cuda", 1))) == 5


def test_without_a_card_it_is_main_memory() -> None:
    import psutil

    free = free_memory_bytes()
    assert free is not None
    assert 0 < free <= psutil.virtual_memory().total


@pytest.mark.parametrize(("threads", "device"), [(1, "CPU, 1 thread"), (2, "CPU, 2 threads")])
def test_one_thread_is_one_thread(monkeypatch: pytest.MonkeyPatch, threads: int, device: str) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.get_num_threads", lambda: threads)
    assert hardware().device == device
