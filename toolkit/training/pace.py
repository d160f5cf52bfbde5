"""How fast this machine trains a base: one layer and the ends of it, of the very shapes, timed with made-up weights.

The rate at which large matrices are multiplied says little of training: norms, attention, the loss over a large
vocabulary and the optimiser all take their time, and small matrices reach a fraction of that rate. So the real modules
run, in the dtype and by the method of the recipe, for a few seconds. Each part is timed several times: the quickest is
what the machine can do, the mean what it does while it is as busy as now.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from toolkit.environment import free_memory_bytes, is_installed
from toolkit.recipe import Recipe
from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout, layout_of
from toolkit.training.dtypes import autocast_dtype, frozen_dtype
from toolkit.training.methods import make_trainable
from toolkit.training.optimizers import optimizer_of
from toolkit.training.quantized import quantize_frozen

_REPEATS = (3, 30)  # of each part, as many of them as take about _SECONDS
_SECONDS = 0.15
_MEMORY_SHARE = 0.3  # of what is free, for the layer and the ends
_CPU_WEIGHTS = 80_000_000  # of a layer and the ends together; more would take too long only to be estimated
_CPU_OPERATIONS = 2e9  # of the forward pass through the layer; fewer tokens are timed where it would be more
_LEAST_TOKENS = 64
_BYTES_PER_WEIGHT = 16  # itself, its gradient, two moments, in float32


@dataclass(frozen=True)
class Span:
    """Seconds from the quickest to the mean, or from the least to the most that is assumed."""

    least: float
    most: float

    def __add__(self, other: Span) -> Span:
        return Span(self.least + other.least, self.most + other.most)

    def __mul__(self, factor: float) -> Span:
        return Span(self.least * factor, self.most * factor)


@dataclass(frozen=True)
class Pace:
    """Seconds on this machine. Of layers, ends and head per token; the others as they say."""

    forward: Span  # one layer below all that trains
    through: Span  # a frozen layer, there and back
    trained: Span  # a layer that trains
    ends: Span  # last norm, frozen LM head and loss, there and back
    trained_ends: Span  # the same with an LM head that trains
    embeddings: Span  # the gradient of the embeddings; per forward pass
    update: Span  # clipping and optimiser, per number that trains
    step: Span  # what Trainer does besides, per step


TRAINER = Span(0.002, 0.01)  # seconds per step of callbacks, batches and logs; see tests/benchmarks/plan


def measure_pace(
    recipe: Recipe,
    base: Path,
    layout: ModelLayout,
    selection: SelectionInfo,
    *,
    examples: int,
    tokens: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Pace | None:
    """Time the parts of a step; None where they are too large to be tried out here.

    Args:
        base: folder with the config.
        examples: per forward pass.
        tokens: of a usual example.
        clock: in seconds; `time.process_time` leaves out the work of other programs.
    """
    layer = selection.layers[0] if selection.layers else 0
    in_layer = layout.count(layout.layers[layer])
    weights = in_layer + layout.count(tuple({layout.embeddings, layout.head}))
    free = free_memory_bytes()
    on_gpu = torch.cuda.is_available()
    if free is not None and weights * _BYTES_PER_WEIGHT > _MEMORY_SHARE * free:
        return None
    if not on_gpu:
        if weights > _CPU_WEIGHTS:
            return None
        affordable = max(_LEAST_TOKENS, int(_CPU_OPERATIONS / (2 * in_layer)))
        tokens = min(tokens, affordable)
        examples = max(1, min(examples, affordable // tokens))
    try:
        with torch.random.fork_rng():
            return _Trial(recipe, base, selection, layer, _Stopwatch(clock, on_gpu), (examples, tokens)).pace()
    except Exception:  # a model of a kind that cannot be cut down to one layer may still train
        return None


class _Trial:
    """A base cut down to one layer, and the times of its parts."""

    def __init__(
        self,
        recipe: Recipe,
        base: Path,
        selection: SelectionInfo,
        layer: int,
        watch: _Stopwatch,
        size: tuple[int, int],
    ) -> None:
        self._recipe, self._base, self._selection, self._layer = recipe, base, selection, layer
        self._watch, self._size = watch, size
        self._load()

    def _load(self) -> None:
        self._model = _one_layer(self._recipe, self._base)
        self._layout = layout_of(self._model)
        path = self._layout.layers[0][0].partition(".0.")[0]
        parent, _, self._list = path.rpartition(".")
        self._decoder = self._model.get_submodule(parent)
        self._ids = torch.zeros(self._size, dtype=torch.long, device=self._model.device)
        self._model.requires_grad_(False)

    def pace(self) -> Pace:
        time = self._watch.time
        layers = getattr(self._decoder, self._list)
        setattr(self._decoder, self._list, torch.nn.ModuleList())
        empty_forward, empty_both = time(self._forward), time(self._both)
        ends = trained_ends = time(self._ends)
        embeddings, head = (getattr(self._model, f"get_{end}_embeddings")() for end in ("input", "output"))
        if self._selection.head and head.weight is not embeddings.weight:
            trained_ends = self._while_it_trains(head.weight, self._ends)
        looked_up = Span(0.0, 0.0)
        if self._selection.embeddings:
            looked_up = self._while_it_trains(embeddings.weight, lambda: embeddings(self._ids).sum().backward())

        setattr(self._decoder, self._list, layers)
        if self._recipe.frozen == "4bit":
            quantize_frozen(self._model, self._selection.model_copy(update={"parameters": ()}), self._model.device)
        forward, through = time(self._forward), time(self._both)
        trained, update = through, Span(0.0, 0.0)
        if self._layer in self._selection.layers:
            trained, update = self._layer_that_trains()
        per_token = 1 / self._ids.numel()
        return Pace(
            forward=_beyond(forward, empty_forward) * per_token,
            through=_beyond(through, empty_both) * per_token,
            trained=_beyond(trained, empty_both) * per_token,
            ends=ends * per_token,
            trained_ends=trained_ends * per_token,
            embeddings=looked_up,
            update=update,
            step=TRAINER,
        )

    def _layer_that_trains(self) -> tuple[Span, Span]:
        """The layer there and back as the recipe trains it; and the update of each of its numbers."""
        if self._recipe.frozen == "4bit":
            self._load()
        chosen = set(self._selection.parameters)
        suffixes = {name.rpartition(f".{self._layer}.")[2] for name in chosen if f".{self._layer}." in name}
        own = tuple(name for name in self._layout.layers[0] if name.rpartition(".0.")[2] in suffixes)
        neurons = self._selection.neurons
        part = {
            "parameters": own,
            "layers": (0,),
            "n_layers": 1,
            "neurons": None if neurons is None else {0: neurons[self._layer]},
        }
        tensors = make_trainable(self._model, self._recipe, self._selection.model_copy(update=part))
        live = [parameter for tensor in tensors for parameter in tensor.parameters]

        def both() -> None:
            for parameter in live:
                parameter.grad = None
            self._both()

        trained = self._watch.time(both)
        optimizer = _optimizer(self._recipe, self._model, live)

        def update() -> None:
            torch.nn.utils.clip_grad_norm_(live, self._recipe.max_grad_norm)
            optimizer.step()

        return trained, self._watch.time(update) * (1 / sum(parameter.numel() for parameter in live))

    def _forward(self) -> None:
        with torch.no_grad(), self._autocast():
            self._decoder(inputs_embeds=self._model.get_input_embeddings()(self._ids), use_cache=False)

    def _both(self) -> None:
        inputs = self._model.get_input_embeddings()(self._ids).detach().requires_grad_()
        with self._autocast():
            out = self._decoder(inputs_embeds=inputs, use_cache=False).last_hidden_state
        out.float().sum().backward()

    def _ends(self) -> None:
        inputs = self._model.get_input_embeddings()(self._ids).detach().requires_grad_()
        with self._autocast():
            loss = self._model(inputs_embeds=inputs, labels=self._ids, use_cache=False).loss
        loss.backward()

    def _while_it_trains(self, weight: torch.nn.Parameter, work: Callable[[], None]) -> Span:
        def run() -> None:
            weight.grad = None
            work()

        weight.requires_grad_(True)
        spent = self._watch.time(run)
        weight.requires_grad_(False)
        weight.grad = None
        return spent

    def _autocast(self) -> torch.autocast:
        """As training_arguments has it."""
        dtype = autocast_dtype(self._recipe)
        return torch.autocast(self._model.device.type, dtype or torch.bfloat16, enabled=dtype is not None)


def _one_layer(recipe: Recipe, base: Path) -> Any:
    """The base with one layer, on the device that trains, its weights some constant."""
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    config = AutoConfig.from_pretrained(base, local_files_only=True).get_text_config()
    config.num_hidden_layers = 1
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:1]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with no_init_weights(), torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=frozen_dtype(recipe))
    for parameter in model.parameters():
        parameter.data.fill_(0.01)
    return model.train()


def _optimizer(recipe: Recipe, model: Any, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    if recipe.optimizer == "adamw_8bit" and not is_installed("bitsandbytes"):
        recipe = recipe.model_copy(update={"optimizer": "adamw"})
    kind, settings = optimizer_of(recipe, model)
    return kind(parameters, **settings | {"lr": 0.0})


class _Stopwatch:
    """Times work a few times over, after a first time that does not count."""

    def __init__(self, clock: Callable[[], float], on_gpu: bool) -> None:
        self._clock, self._on_gpu = clock, on_gpu

    def time(self, work: Callable[[], None]) -> Span:
        spent: list[float] = []
        least, most = _REPEATS
        while len(spent) <= least or (sum(spent[1:]) < _SECONDS and len(spent) <= most):
            started = self._clock()
            work()
            if self._on_gpu:
                torch.cuda.synchronize()
            spent.append(self._clock() - started)
        return Span(min(spent[1:]), mean(spent[1:]))


def _beyond(whole: Span, part: Span) -> Span:
    """What something takes more than a part of it."""
    least = max(0.0, whole.least - part.least)
    return Span(least, max(least, whole.most - part.most))
