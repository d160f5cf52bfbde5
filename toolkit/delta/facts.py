"""The facts of an opened delta as a record."""

from __future__ import annotations

import re
from collections.abc import Mapping

from toolkit.delta.container import DeltaFiles, file_sha256
from toolkit.records import DeltaInfo, TensorChange


def info_of(files: DeltaFiles, codings: Mapping[str, str]) -> DeltaInfo:
    """Size, base and every change; `codings` says how each tensor is coded."""
    changes = [
        TensorChange(
            name=name,
            layer=layer_of(name),
            weights=tensor.weights,
            changed=tensor.changed,
            size_bytes=files.spans[name].size_bytes,
            rms=tensor.rms,
            coding=codings[name],
        )
        for name, tensor in files.manifest.changed.items()
    ]
    return DeltaInfo(
        format_version=files.version,
        file=files.path.name,
        size_bytes=files.size_bytes,
        sha256=file_sha256(files.path),
        base=files.manifest.base,
        base_fingerprint=files.base_fingerprint,
        merged_fingerprint=files.merged_fingerprint,
        tensors=tuple(changes),
    )


def layer_of(name: str) -> int | None:
    """The decoder layer that a tensor belongs to, by its name."""
    match = re.search(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)\.", name)
    return int(match[1]) if match else None
