"""Stands in for unbabel-comet: a checkpoint is a JSON file that says what its model does; libraries are as noisy."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

__version__ = "0.0.1"

print("noise while importing")


def value_of(source: str, hypothesis: str, reference: str) -> float:
    """A double with all its digits, different for each segment."""
    return (len(source) * 0.1 + len(hypothesis) * 0.01 + sum(map(ord, reference)) % 97) / 3.0


class OutOfMemoryError(RuntimeError):
    """Called as PyTorch's own is."""


class Model:
    def __init__(self, behaviour: str) -> None:
        self._behaviour = behaviour
        self._hooks: list[Callable[..., None]] = []

    def parameters(self) -> Any:
        return iter([SimpleNamespace(dtype="torch.float32")])

    def register_forward_hook(self, hook: Callable[..., None]) -> Any:
        self._hooks.append(hook)
        return SimpleNamespace(remove=lambda: self._hooks.remove(hook))

    def predict(self, samples: list[dict[str, str]], batch_size: int, gpus: int, **_: Any) -> dict[str, Any]:
        print("noise while predicting")
        if self._behaviour == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._behaviour == "crashes":
            print("the last words", file=sys.stderr)
            os._exit(3)
        if self._behaviour == "out of memory":
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB.")
        if self._behaviour == "fails":
            raise ValueError("no idea\nwhat to do")
        scores = []
        for start in range(0, len(samples), batch_size):
            batch = samples[start : start + batch_size]
            scores += [value_of(sample["src"], sample["mt"], sample["ref"]) for sample in batch]
            for hook in self._hooks if self._behaviour != "silent" else ():
                hook(self, (), {"score": batch})
        if self._behaviour == "not finite":
            scores[-1] = float("nan")
        return {"scores": scores[1:] if self._behaviour == "too few" else scores}


def load_from_checkpoint(path: str) -> Model:
    behaviour = json.loads(Path(path).read_text())["behaviour"]
    if behaviour == "damaged":
        raise RuntimeError("PytorchStreamReader failed reading zip archive")
    if behaviour == "unsafe":
        assert os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] == "1"
        raise pickle.UnpicklingError(
            "Weights only load failed. This file can still be loaded.\n\tUnsupported global: os"
        )
    if behaviour == "no tokenizer":
        raise OSError("Can't load tokenizer for 'xlm-roberta-large'. If you were trying")
    if behaviour == "counted":
        with Path(path).with_name("loads").open("a") as loads:
            loads.write("once\n")
    return Model(behaviour)
