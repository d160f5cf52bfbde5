"""Publishes into a local folder: a new one appears whole, an older one is replaced, anything else is refused."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub_cards.space import is_space_card
from toolkit.errors import CogsymError, OutputError
from toolkit.hub.contents import DELTA, Contents, Layout, PublishedFile, list_contents
from toolkit.records import DeltaConfig

_READ_BYTES = 1 << 22


def same_contents(folder: Path, contents: Contents) -> bool:
    """Whether this folder holds exactly these files, bit for bit."""
    if not folder.is_dir():
        return False
    there = list_contents(folder, layout=contents.layout)
    if there.left_out or [file.path for file in there.files] != [file.path for file in contents.files]:
        return False
    return all(
        old.size_bytes == new.size_bytes and old.sha256 == new.sha256
        for old, new in zip(there.files, contents.files, strict=True)
    )


def check_replaceable(folder: Path, layout: Layout = DELTA) -> None:
    """Make sure that nothing but an older publication is at this place.

    Raises:
        OutputError: if something else is there, named in the message.
    """
    hint = "choose another folder, or move these files away"
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise OutputError(f"{folder} exists and is not a folder", "choose another folder")
    foreign = [path.relative_to(folder).as_posix() for path in _files(folder)]
    foreign = [name for name in foreign if not layout.holds(name)]
    if foreign:
        shown = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        raise OutputError(f"{folder} holds files that no publication has: {shown}", hint)
    if not any(folder.iterdir()):
        return
    if layout is not DELTA:
        card = folder / "README.md"
        if not card.is_file() or not is_space_card(card.read_text(encoding="utf-8", errors="replace")):
            raise OutputError(f"{folder} is not empty, and not a Space that was pushed before", hint)
        return
    try:
        DeltaConfig.read(folder / "config.json")
    except CogsymError as error:
        raise OutputError(f"{folder} is not empty, and not a published delta", hint) from error


def publish_locally(folder: Path, contents: Contents) -> None:
    """Make the folder hold exactly these files; where anything fails, it stays as it was.

    Raises:
        OutputError: if something else is at this place, a file changes meanwhile, or nothing can be written.
    """
    check_replaceable(folder, contents.layout)
    with _draft_beside(folder) as draft:
        for file in contents.files:
            _copy(file, draft / file.path)
        _replace(folder, draft)


@contextmanager
def _draft_beside(folder: Path) -> Iterator[Path]:
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        yield draft
    except OSError as error:
        raise OutputError(
            f"cannot publish to {folder}: {error.strerror or error}", "free some space, or choose another folder"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _copy(file: PublishedFile, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with file.source.open("rb") as source, to.open("xb") as copy:
        while block := source.read(_READ_BYTES):
            digest.update(block)
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    if digest.hexdigest() != file.sha256:
        raise OutputError(f"{file.source} changed while it was being published", "wait for the run to end, and repeat")


def _replace(folder: Path, draft: Path) -> None:
    """Put the draft in the folder's place. The old one is back if that fails, and gone only after it has worked."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if not folder.exists():
        os.rename(draft, folder)
        return
    shutil.rmtree(old, ignore_errors=True)
    os.rename(folder, old)
    try:
        os.rename(draft, folder)
    except BaseException:
        os.rename(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            yield Path(place) / name
