"""Which COMET model is meant: a checkpoint on this machine, or a repository on the Hub; and what of it is here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from toolkit.errors import EvaluationError

DEFAULT_MODEL = "Unbabel/wmt22-comet-da"
_METRIC_NAMES = {DEFAULT_MODEL: "COMET-22"}  # as the literature calls them
_ENCODER_FILES = ("config.json", "tokenizer.json")


@dataclass(frozen=True)
class CometModel:
    """A model as its scores name it, and its checkpoint where that is a file of this machine."""

    name: str
    checkpoint: Path | None

    @property
    def metric(self) -> str:
        """The metric's name: `COMET-22` for the default model, `COMET` for every other."""
        return "COMET" if self.checkpoint else _METRIC_NAMES.get(self.name, "COMET")


@dataclass(frozen=True)
class Cached:
    """What the Hub's cache on this machine holds of a model."""

    checkpoint: bool
    encoder: str | None  # the repository whose tokenizer the model needs; None while that is unknown
    encoder_here: bool

    @property
    def whole(self) -> bool:
        """Whether the model can be used without the Hub."""
        return self.checkpoint and self.encoder_here


def resolve_model(model: str) -> CometModel:
    """The model that this text means: a folder, a `.ckpt` file, or a Hub id.

    Raises:
        EvaluationError: if it is a path where no checkpoint lies, or no Hub id.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        checkpoints = sorted(path.glob("checkpoints/*.ckpt"))
        if len(checkpoints) != 1:
            raise EvaluationError(
                f"{path} holds {len(checkpoints)} COMET checkpoints, not one",
                "give a folder with hparams.yaml and checkpoints/model.ckpt, or the .ckpt file itself",
            )
        return _local(checkpoints[0])
    if path.is_file():
        return _local(path)
    if model.endswith(".ckpt") or model.count("/") != 1 or model.startswith((".", "/", "~")):
        raise EvaluationError(
            f"there is no COMET model at {model}", f"give a checkpoint, or a Hub id such as {DEFAULT_MODEL}"
        )
    return CometModel(model, None)


def look_into_cache(model: str) -> Cached:
    """What the cache holds of a model of the Hub; nothing is downloaded."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    def path_of(repository: str, file: str) -> str | None:
        try:
            found = try_to_load_from_cache(repository, file)
        except HFValidationError:  # an encoder that lay in a folder of whoever trained the model
            return None
        return found if isinstance(found, str) else None

    hparams = path_of(model, "hparams.yaml")
    facts = yaml.safe_load(Path(hparams).read_text(encoding="utf-8")) if hparams else None
    encoder = facts.get("pretrained_model") if isinstance(facts, dict) else None
    return Cached(
        checkpoint=path_of(model, "checkpoints/model.ckpt") is not None,
        encoder=encoder,
        encoder_here=encoder is not None and all(path_of(encoder, file) for file in _ENCODER_FILES),
    )


def _local(checkpoint: Path) -> CometModel:
    checkpoint = checkpoint.resolve()
    folder = checkpoint.parent.parent  # COMET looks for hparams.yaml there
    if not (folder / "hparams.yaml").is_file():
        raise EvaluationError(
            f"{checkpoint.name} has no hparams.yaml one folder above it",
            "keep it as it is published: hparams.yaml beside the folder checkpoints/",
        )
    return CometModel(folder.name, checkpoint)
