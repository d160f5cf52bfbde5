"""What a delta changes and what each tensor costs, from the file alone."""

from __future__ import annotations

import re
from pathlib import Path

from toolkit.delta.container import DeltaFiles, file_sha256, open_files
from toolkit.records import DeltaInfo, TensorChange


def inspect(delta: Path) -> DeltaInfo:
    """How large a delta is and what it changes, tensor by tensor; every byte of the headers is checked.

    Raises:
        DamagedDeltaError: if there is none, or its headers are damaged.
        NewerFormatError: if it was written by a newer major version of the format.
    """
    return info_of(open_files(delta))


def info_of(files: DeltaFiles) -> DeltaInfo:
    changes = [
        TensorChange(
            name=name,
            layer=layer_of(name),
            weights=tensor.weights,
            changed=tensor.changed,
            size_bytes=files.spans[name].size_bytes,
            rms=tensor.rms,
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
