"""Whether a base is the one that a delta was made for, every tensor of it, before anything is written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from toolkit.delta import kernel
from toolkit.delta.checkpoint import Checkpoint, Reader
from toolkit.delta.delta import Delta
from toolkit.delta.progress import Meter, Progress
from toolkit.errors import WrongBaseError


def check_base(
    delta: Delta, base: Checkpoint, reader: Reader, *, threads: int, progress: Progress | None = None
) -> None:
    """Compare every tensor of the base with the checksums in the delta.

    Raises:
        WrongBaseError: naming the tensors that differ.
    """
    other_form = delta.check_headers(base)
    if other_form:
        raise wrong_base(
            delta, other_form, len(delta.files.manifest.base_tensors), "are missing or have another shape or dtype"
        )
    meter = Meter(progress, "check base", base.size_bytes)

    def differs(name: str) -> bool:
        span = base.tensors[name]
        fits = _crc_fits(delta, name, base, reader)
        meter.add(span.size_bytes)
        return not fits

    with ThreadPoolExecutor(threads) as pool:
        names = list(base.tensors)
        differing = [name for name, wrong in zip(names, pool.map(differs, names), strict=True) if wrong]
    if differing:
        raise wrong_base(delta, differing, len(names), "differ")


def _crc_fits(delta: Delta, name: str, base: Checkpoint, reader: Reader) -> bool:
    crc = 0
    for block in reader.blocks(base.tensors[name]):
        crc = kernel.crc32(block, crc)
    return crc == delta.files.manifest.base_tensors[name].crc32


def wrong_base(delta: Delta, names: list[str], total: int, how: str) -> WrongBaseError:
    made_for = delta.base.id + (f"@{delta.base.revision[:7]}" if delta.base.revision else "")
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    hint = (
        f"pass --base-revision {delta.base.revision}" if delta.base.revision else f"give the unmodified {delta.base.id}"
    )
    return WrongBaseError(
        f"this delta was made for {made_for}, but in the base you gave {len(names)} of {total} tensors {how}: {shown}",
        hint,
    )
