"""Many languages over one base in memory: resident ones change by pointer, others are decoded when called for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from toolkit.delta import kernel
from toolkit.delta.basecheck import wrong_base
from toolkit.delta.bits import LAYOUTS, Bits
from toolkit.delta.checkpoint import DEFAULT_THREADS, Reader, open_checkpoint
from toolkit.delta.delta import Delta, DeltaTensor, load_delta
from toolkit.delta.live import TORCH_DTYPES, base_bits, numpy_bits, write_bits
from toolkit.errors import DeltaError, WrongBaseError


@dataclass
class _Language:
    """One delta over the base; `tensors` holds its weights where it is resident."""

    name: str
    delta: Delta
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    resident: bool = False


class LanguageSwitcher:
    """Switches a loaded transformers model between the base and its languages, exactly, any number of times.

    The base's weights are never written. A resident language has its own copy of the tensors it changes and is
    activated by swapping pointers. The others share one working copy, into which they are decoded from their delta.
    The model may be in the base's dtype or in float32 (exact for a BF16 or F16 base), on a CPU or a GPU. Modules that
    captured addresses of weights (CUDA graphs) must be captured again after a switch.

        switcher = LanguageSwitcher(model)
        switcher.add("jav", "jav/delta.safetensors")
        with switcher.use("jav"):
            model.generate(...)

    Args:
        model: loaded by transformers, unmodified.
        base: the folder of the base; where the model is on a GPU, its weights are read from there rather than from the
            card, until `move`. Not needed.
        threads: threads that decode.

    Raises:
        DeltaError: if the model is quantised, or not in floating point.
    """

    def __init__(self, model: torch.nn.Module, base: Path | None = None, *, threads: int = DEFAULT_THREADS) -> None:
        self._refuse_quantised(model)
        self._parameters = dict(model.named_parameters(remove_duplicate=False))
        self._home = {name: parameter.data for name, parameter in self._parameters.items()}
        names: dict[int, list[str]] = {}  # a tied parameter has several
        for name, parameter in self._parameters.items():
            names.setdefault(id(parameter), []).append(name)
        self._tied = [(self._parameters[same[0]], same) for same in names.values()]
        self._languages: dict[str, _Language] = {}
        self._working: dict[str, torch.Tensor] = {}
        self._working_holds: str | None = None
        self._active: str | None = None
        self._checked: set[str] = set()
        self._lock = threading.RLock()
        self._threads = threads
        self._source = open_checkpoint(base) if base is not None else None

    @property
    def active(self) -> str | None:
        """The language that the model speaks now; None for the base."""
        return self._active

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self._languages)

    def add(self, name: str, delta_path: Path, *, resident: bool = False) -> None:
        """Make a language known; the live base is checked against its delta here, so that switching cannot fail later.

        Args:
            resident: keep its weights decoded in memory, next to the base's, for switching in milliseconds.

        Raises:
            WrongBaseError: if the live base is not the one that the delta was made for, naming the tensors.
            DamagedDeltaError, NewerFormatError: if the delta cannot be used.
            DeltaError: if the model lacks a tensor of the delta or has it in another shape or dtype.
        """
        with self._lock:
            if name in self._languages:
                raise DeltaError(f"{name!r} is known already", "choose another name, or remove it first")
            language = _Language(name, load_delta(delta_path), resident=resident)
            try:
                self._check(language.delta)
                if resident:
                    language.tensors = {n: torch.empty_like(self._home[n]) for n in language.delta.names}
                    self._decode(language.delta, language.tensors)
            except BaseException:
                language.delta.close()
                raise
            self._languages[name] = language

    def remove(self, name: str) -> None:
        """Forget a language and free its memory; the model goes back to the base if it was active."""
        with self._lock:
            language = self._known(name)
            if self._active == name:
                self.deactivate()
            if self._working_holds == name:
                self._working_holds = None
            language.delta.close()
            del self._languages[name]

    def move(self, device: str | torch.device) -> None:
        """Take the base and all decoded languages to another device, where the model goes on as the base.

        A model that computes on a device which only lends itself out (ZeroGPU) is loaded and checked on the CPU first.
        The files of the base are not read from then on: ZeroGPU deletes those that it has packed.
        """
        with self._lock:
            self.deactivate()
            self._source = None
            self._working, self._working_holds = {}, None
            for parameter, names in self._tied:
                moved = self._home[names[0]].to(device)
                parameter.data = moved
                self._home.update(dict.fromkeys(names, moved))
            for language in self._languages.values():
                language.tensors = {name: tensor.to(device) for name, tensor in language.tensors.items()}

    @property
    def lock(self) -> threading.RLock:  # type: ignore[valid-type]
        """Held while the model is in use or its languages change."""
        return self._lock

    def keep(self, name: str) -> None:
        """Leave the model in this language for good, and free the base's tensors and everything else held here.

        The switcher knows no language afterwards; the model stays as it is.

        Raises:
            DeltaError: if the language is unknown.
        """
        with self._lock:
            self.activate(name)
            for language in self._languages.values():
                language.delta.close()
            self._home = {n: parameter.data for n, parameter in self._parameters.items()}
            self._languages, self._working, self._working_holds = {}, {}, None
            self._checked.clear()
            self._active = None

    def activate(self, name: str) -> None:
        """Put the language's weights into the model.

        Raises:
            DeltaError: if the language is unknown; the model is unchanged then.
            DamagedDeltaError: if the delta was damaged since it was added; the model is back on the base then.
        """
        with self._lock:
            language = self._known(name)
            if self._active == name:
                return
            self.deactivate()
            tensors = language.tensors if language.resident else self._working_copy(language)
            self._point(tensors)
            self._active = name

    def deactivate(self) -> None:
        """Put the base's weights back, exactly."""
        with self._lock:
            self._point({})
            self._active = None

    def forget_working_copy(self) -> None:
        """Free the decoded weights of the last language that is not resident; the next call decodes it again."""
        with self._lock:
            if self._active is not None and not self._languages[self._active].resident:
                self.deactivate()
            self._working, self._working_holds = {}, None

    @contextmanager
    def use(self, name: str | None) -> Iterator[None]:
        """The model speaks this language (None: the base) inside of the block, and no other thread can switch it."""
        with self._lock:
            before = self._active
            if name is None:
                self.deactivate()
            else:
                self.activate(name)
            try:
                yield
            finally:
                if before is None:
                    self.deactivate()
                elif before in self._languages:
                    self.activate(before)

    def _point(self, tensors: dict[str, torch.Tensor]) -> None:
        """Let every parameter be its tensor in `tensors`, under any of its names, or else the base's."""
        for parameter, names in self._tied:
            wanted = next((tensors[name] for name in names if name in tensors), self._home[names[0]])
            if parameter.data_ptr() != wanted.data_ptr():
                parameter.data = wanted

    def _known(self, name: str) -> _Language:
        if name not in self._languages:
            known = ", ".join(self._languages) or "none"
            raise DeltaError(f"no language {name!r} was added (known: {known})", "call add() first")
        return self._languages[name]

    def _working_copy(self, language: _Language) -> dict[str, torch.Tensor]:
        if self._working_holds != language.name:
            self._working_holds = None
            for name in language.delta.names:
                if name not in self._working:
                    self._working[name] = torch.empty_like(self._home[name])
            self._decode(language.delta, self._working)
            self._working_holds = language.name
        return {name: self._working[name] for name in language.delta.names}

    def _decode(self, delta: Delta, into: dict[str, torch.Tensor]) -> None:
        """Decode a delta on the CPU into tensors of the model's dtype and device, while earlier chunks are copied."""
        device = next(iter(into.values())).device
        copying = torch.cuda.Stream(device) if device.type == "cuda" else None
        if copying is not None:  # what the model still computes with the old weights comes first
            copying.wait_stream(torch.cuda.current_stream(device))

        def job(tensor: DeltaTensor, chunk: int, reader: Reader) -> None:
            dtype = tensor.merged.dtype
            start, stop = (edge // LAYOUTS[dtype].width for edge in tensor.chunk_range(chunk))
            live = into[tensor.name].view(-1)[start:stop]
            if live.device.type == "cpu" and live.dtype == TORCH_DTYPES[dtype]:  # decoded where it belongs
                live.copy_(self._home[tensor.name].view(-1)[start:stop])
                delta.apply(tensor, chunk, numpy_bits(live).view(np.uint8).data)
                return
            bits = self._base_chunk(tensor, chunk, reader)
            delta.apply(tensor, chunk, bits.view(np.uint8).data)
            with torch.no_grad(), torch.cuda.stream(copying) if copying is not None else nullcontext():
                write_bits(live, bits, dtype)

        with Reader() as reader, ThreadPoolExecutor(self._threads) as pool:
            jobs = [
                pool.submit(job, tensor, chunk, reader) for tensor in delta for chunk in range(tensor.head.n_chunks)
            ]
            try:
                for future in jobs:
                    future.result()
            finally:
                pool.shutdown(cancel_futures=True)
                if copying is not None:
                    copying.synchronize()

    def _base_chunk(self, tensor: DeltaTensor, chunk: int, reader: Reader) -> Bits:
        """The base's bit patterns of one chunk, from memory; from disk where the live ones are on a card."""
        layout = LAYOUTS[tensor.merged.dtype]
        start_byte, stop_byte = tensor.chunk_range(chunk)
        home = self._home[tensor.name]
        if home.device.type == "cpu" or self._source is None or tensor.name not in self._source.tensors:
            part = home.view(-1)[start_byte // layout.width : stop_byte // layout.width]
            return base_bits(part, tensor.merged.dtype, tensor.name)
        bits: Bits = np.empty((stop_byte - start_byte) // layout.width, layout.unsigned)
        reader.read_into(self._source.tensors[tensor.name], start_byte, bits.view(np.uint8).data)
        return bits

    def _check(self, delta: Delta) -> None:
        """The model has every tensor of the delta's base, and bit for bit the same."""
        expected = delta.files.manifest.base_tensors
        for name in delta.names:
            tensor = delta.tensor(name)
            if tensor.base is None or tensor.base.shape != tensor.merged.shape:
                raise DeltaError(
                    f"the delta changes the shape of {name}, which a live model cannot follow", "merge it into a folder"
                )
            for chunk in range(tensor.head.n_chunks):
                delta.payload(tensor, chunk)
        for _, names in self._tied:
            if len({delta.files.manifest.changed[name].sha256 for name in names if name in delta.names}) > 1:
                raise DeltaError(
                    f"{' and '.join(names)} are one tensor in the model and differ in the delta",
                    "merge it into a folder",
                )
        # A checkpoint may hold tensors that transformers does not load, such as old rotary frequencies.
        loaded = {name: tensor for name, tensor in expected.items() if name in self._home}
        unfit = [name for name in delta.names if name not in loaded]
        unfit += [name for name, tensor in loaded.items() if tuple(self._home[name].shape) != tensor.shape]
        unfit += [names[0] for _, names in self._tied if not any(name in expected for name in names)]
        if unfit:
            raise wrong_base(delta, unfit, len(expected), "are missing on one side or have another shape")
        for name, base in loaded.items():
            live = self._home[name]
            if base.dtype not in TORCH_DTYPES or live.dtype not in (TORCH_DTYPES[base.dtype], torch.float32):
                raise DeltaError(
                    f"the live {name} is {str(live.dtype).removeprefix('torch.')}, the delta's base is {base.dtype}",
                    "load the model in the base's dtype, or in float32",
                )
        if delta.files.base_fingerprint in self._checked:
            return
        with ThreadPoolExecutor(self._threads) as pool:
            names = list(loaded)
            fits = pool.map(lambda name: self._fits(name, loaded[name].dtype, loaded[name].crc32), names)
            differing = [name for name, fit in zip(names, fits, strict=True) if not fit]
        if differing:
            raise wrong_base(delta, differing, len(names), "differ")
        self._checked.add(delta.files.base_fingerprint)

    def _fits(self, name: str, dtype: str, expected_crc: int) -> bool:
        crc, flat = 0, self._home[name].view(-1)
        try:
            for start in range(0, flat.numel(), 1 << 20):
                crc = kernel.crc32(base_bits(flat[start : start + (1 << 20)], dtype, name), crc)
        except WrongBaseError:
            return False
        return crc == expected_crc

    @staticmethod
    def _refuse_quantised(model: torch.nn.Module) -> None:
        if getattr(model, "is_quantized", False) or getattr(model, "hf_quantizer", None) is not None:
            raise DeltaError(
                "the model is quantised, and a delta applies to the exact weights", "load it without quantisation"
            )
        for name, parameter in model.named_parameters():
            if parameter.dtype not in TORCH_DTYPES.values():
                raise DeltaError(
                    f"{name} is {str(parameter.dtype).removeprefix('torch.')}, a delta applies to the exact weights",
                    "load the model in the base's dtype, or in float32",
                )
