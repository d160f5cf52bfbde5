"""A base, or a base with a delta on it, as an ordinary transformers model: found, read and checked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from toolkit.errors import BaseModelError, CogsymError, DeltaError
from toolkit.records import BaseInfo
from toolkit.run_folder import RunFolder

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

POCKET = "pocket"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
# A base is kept in float32 on a CPU while that takes at most this share of the memory.
FLOAT32_SHARE = 0.4


class Download(TypedDict, total=False):
    """How files come from the Hub: the words of huggingface_hub, with its meaning. Files that are here need none."""

    token: str | bool | None
    """Default the one that you logged in with; False sends none."""
    cache_dir: str | Path | None
    force_download: bool
    local_files_only: bool


def resolve_base(id_or_path: str | os.PathLike[str], revision: str | None = None, **download: Unpack[Download]) -> Path:
    """The folder of a base model: `pocket`, an existing folder, or a Hub id, which is downloaded once.

    Raises:
        BaseModelError: if it is none of these.
        HubError: if the Hub refuses it.
    """
    name = os.fspath(id_or_path)
    if name == POCKET:
        from toolkit import pocket

        return pocket.folder()
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if isinstance(id_or_path, str) and is_hub_id(name):
        from toolkit import hub

        return hub.fetch_base(name, revision=revision, **download)
    raise BaseModelError(
        f"no base model at '{name}'", f"give a folder, a Hub id like meta-llama/Llama-2-7b-hf, or `{POCKET}`"
    )


def resolve_config(id_or_path: str | os.PathLike[str], revision: str | None = None) -> Path:
    """A folder with the base's `config.json`, enough to plan a run; well-known bases need no download for that."""
    from toolkit.recipes import known_config

    known = known_config(os.fspath(id_or_path))
    if known is not None:
        return known
    if isinstance(id_or_path, str) and is_hub_id(id_or_path) and not Path(id_or_path).is_dir():
        from toolkit import hub

        return hub.fetch_config(id_or_path, revision=revision)
    return resolve_base(id_or_path, revision)


def has_tokenizer(folder: Path) -> bool:
    """Whether a tokenizer lies in this folder, as in a base, or its config alone."""
    return any(folder.glob("tokenizer*"))


def resolve_delta(
    id_or_path: str | os.PathLike[str], revision: str | None = None, **download: Unpack[Download]
) -> RunFolder:
    """The folder of a delta: one that holds config.json and the weights, or a Hub id, which is downloaded once.

    Raises:
        DeltaError: if it is neither, or lacks a part.
        HubError: if the Hub refuses it.
    """
    name = os.fspath(id_or_path)
    path = Path(name).expanduser()
    if path.is_file() and path.suffix == ".safetensors":
        path = path.parent
    if not path.is_dir():
        if not (isinstance(id_or_path, str) and is_hub_id(name)):
            raise DeltaError(
                f"no delta at '{name}'", "give the folder of a run, or a Hub id like org/llama-2-7b-cogsym-jav"
            )
        from toolkit import hub

        path = hub.fetch_delta(name, revision=revision, **download)
    run = RunFolder(path)
    if not run.config.is_file():
        raise DeltaError(
            f"{path} holds no config.json, so it is not a delta",
            "a run folder has one once it is trained; to load a whole model, use transformers",
        )
    weights = path / run.read_config().delta_file
    if not weights.is_file() and not weights.with_name(weights.name + ".index.json").is_file():
        raise DeltaError(f"{path} holds no {weights.name}", "let the training finish, or download the delta again")
    return run


def base_of(run: RunFolder, **download: Unpack[Download]) -> Path:
    """The folder of the base that a delta was made for, as its config names it.

    A run made here from a base in a local folder finds that folder through its recipe.

    Raises:
        BaseModelError: if the base was a folder that is not on this machine.
    """
    info = run.read_config().base
    if info.id == POCKET or is_hub_id(info.id):  # never a path: a config may come from a stranger
        return resolve_base(info.id, info.revision, **download)
    if run.recipe.is_file():
        from toolkit.recipe import read_recipe

        folder = Path(read_recipe(run.recipe).base)
        if folder.is_dir():
            return folder
    raise BaseModelError(
        f"this delta was made for a base in a local folder named '{info.id}', which the config cannot locate",
        "pass the base: --base FOLDER, or base=FOLDER",
    )


def base_here(run: RunFolder) -> Path | None:
    """The folder of a delta's base if that is on this machine, without any download; else None."""
    with suppress(CogsymError):
        return base_of(run, local_files_only=True)
    return None


def load_base(
    folder: Path, *, device: str | torch.device | None = None, dtype: str | torch.dtype | None = None
) -> tuple[PreTrainedModel, Any]:
    """The model and tokenizer in this folder, ready to translate; nothing is ever looked up on the network.

    Args:
        folder: a transformers checkpoint in safetensors.
        device: where to put the model; default a GPU where there is one. Weights go there straight from the file.
        dtype: `auto` is the dtype of the file, which a delta is exact in. Default that on a GPU; on a CPU float32, in
            which it is exact too, where that takes little of the memory (it is faster there), else that of the file.

    Raises:
        BaseModelError: if a part is missing, truncated, or does not fit the others.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from toolkit.delta.checkpoint import read_base_info

    info = read_base_info(folder)  # reads the headers alone, so a truncated file is found before any memory is spent
    place = _place(device)
    kept_in = _default_dtype(info, place) if dtype is None else _dtype_of(info) if dtype == "auto" else _dtype(dtype)
    straight: dict[str, Any] = {"device_map": {"": place}} if place.type == "cuda" else {}
    try:
        with _quiet():
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=kept_in, local_files_only=True, use_safetensors=True, output_loading_info=True, **straight
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers raises a dozen kinds here; all of them mean that this folder won't load
        reason = str(error).strip().split("\n")[0]
        raise BaseModelError(f"base model {folder} cannot be loaded: {reason}", "download it again") from error
    model, loading = loaded
    missing = sorted(loading["missing_keys"])
    if missing:  # transformers would go on with random weights
        raise BaseModelError(
            f"base model {folder} lacks {len(missing)} of its tensors (first: {missing[0]})", "download it again"
        )
    return (model if straight else model.to(place)).eval(), tokenizer


def load_to_rank(folder: Path) -> tuple[PreTrainedModel, Any]:
    """The model and tokenizer in this folder, to measure layers or neurons of; no delta is laid over it.

    In bfloat16 on a GPU, and wherever it would be in float16, whose small gradients vanish.

    Raises:
        BaseModelError: as `load_base`.
    """
    import torch

    from toolkit.delta.checkpoint import read_base_info

    place = _place(None)
    usual = _default_dtype(read_base_info(folder), place)
    narrow = place.type == "cuda" or usual == torch.float16
    return load_base(folder, device=place, dtype=torch.bfloat16 if narrow else usual)


def from_pretrained(
    id_or_path: str | os.PathLike[str],
    *,
    base: str | os.PathLike[str] | None = None,
    base_revision: str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    force_download: bool = False,
    local_files_only: bool = False,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> PreTrainedModel:
    """A base with a delta on it: an ordinary transformers model in the adapted weights, verified.

    Args:
        id_or_path: run folder, downloaded delta, or Hub id.
        base: `pocket`, a folder or a Hub id; default the base that the delta names.
        base_revision: commit of a base on the Hub, with `base`.
        revision: branch, tag, commit or `refs/pr/N` of a delta on the Hub.
        token: for delta and base on the Hub; default the one that you logged in with, False sends none.
        cache_dir: where downloads are kept; default the Hub's own cache.
        force_download: download again what the cache holds, delta and base.
        local_files_only: use what was downloaded before, as HF_HUB_OFFLINE=1 does.
        device: see `load_base`.
        dtype: see `load_base`.

    Raises:
        HubError: if the Hub refuses it, or it is not here and may not be downloaded.
        WrongBaseError: if the delta was made for other base weights.
        DamagedDeltaError: if the delta fails a checksum.
    """
    from toolkit.delta import LanguageSwitcher

    download = Download(
        token=token, cache_dir=cache_dir, force_download=force_download, local_files_only=local_files_only
    )
    run = resolve_delta(id_or_path, revision, **download)
    folder = base_of(run, **download) if base is None else resolve_base(base, base_revision, **download)
    model, _ = load_base(folder, device=device, dtype=dtype)
    switcher = LanguageSwitcher(model, folder)
    switcher.add("adapted", run.root / run.read_config().delta_file)
    switcher.activate("adapted")
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bars, which would get between the lines of whoever shows progress here."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def is_hub_id(name: str) -> bool:
    """Whether this is `org/name`, as repositories on the Hub are called; nobody is asked whether it is there."""
    return _HUB_ID.fullmatch(name) is not None


def _place(device: str | torch.device | None) -> torch.device:
    """The device, a GPU with its number: transformers' Trainer takes `cuda` for another one than `cuda:0`."""
    import torch

    place = torch.device(device) if device else torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if place.type == "cuda" and place.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return place


def _dtype(name: str | torch.dtype) -> torch.dtype:
    import torch

    found = getattr(torch, name, None) if isinstance(name, str) else name
    if not isinstance(found, torch.dtype):
        raise BaseModelError(f"'{name}' is not a dtype", "use float32, bfloat16, float16, or auto for the file's own")
    return found


def _dtype_of(info: BaseInfo) -> torch.dtype:
    """The dtype that most of the file's weights have."""
    import torch

    return {"BF16": torch.bfloat16, "F16": torch.float16}.get(info.dtype, torch.float32)


def _default_dtype(info: BaseInfo, device: torch.device) -> torch.dtype:
    """One that the base's deltas can be laid over: its own, or float32."""
    import torch

    from toolkit.environment import memory_bytes

    memory = memory_bytes() if device.type == "cpu" else None
    if memory is not None and 4 * info.n_weights <= FLOAT32_SHARE * memory:
        return torch.float32
    return _dtype_of(info)
