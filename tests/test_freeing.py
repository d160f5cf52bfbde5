"""A trained model is gone when training is over, so that what comes next has the memory."""

from __future__ import annotations

import gc
import importlib
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from training_runs import recipe, write_corpus

from toolkit.adaptation import prepare, train_delta

module = importlib.import_module("toolkit.training.train")  # `train` is also the name of its function


def test_nothing_of_a_trained_model_is_left(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models: list[weakref.ref[torch.nn.Module]] = []

    def load(*given: Any) -> Any:
        model, tokenizer = load_to_train(*given)
        models.append(weakref.ref(model))
        return model, tokenizer

    load_to_train = module.load_to_train
    monkeypatch.setattr(module, "load_to_train", load)
    changes = {"select": "cogsym:2", "max_steps": 2, "optimizer": "adamw_8bit"}
    gc.disable()  # what circles hold must not depend on when Python looks for them
    try:
        train_delta(prepare(recipe(write_corpus(tmp_path), tiny_base, **changes), tmp_path / "run"))
        assert [model() for model in models] == [None]
    finally:
        gc.enable()
