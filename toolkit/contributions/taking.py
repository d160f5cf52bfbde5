"""Takes the language files out of a Git commit as data: nothing is checked out, so nothing in it can run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from toolkit.errors import LanguageError
from toolkit.languages.strict_yaml import MAX_BYTES
from toolkit.languages.texts import shown

PLACE = "toolkit/languages"
"""Where language files lie in the repository."""
_COMMIT = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z._/^~-]*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,30}\.yaml", re.ASCII)
_ORDINARY = ("100644", "100755")  # modes of files; not links, not submodules


def take_language_files(commit: str, out: Path, *, repository: Path = Path()) -> list[str]:
    """Write the YAML files that this commit has among the languages into a folder; returns their names.

    Args:
        commit: a commit, branch or tag, also `HEAD^1`.
        out: made where it is missing.
        repository: a clone that has the commit.

    Raises:
        LanguageError: if there is no such commit, or something among the files is not a file with a plain name.
    """
    if not _COMMIT.fullmatch(commit):
        raise LanguageError(f"{shown(commit)} is not a commit", "give a commit, a branch, or a folder")
    listed = _git(repository, "ls-tree", "-z", "--full-tree", commit, f"{PLACE}/").split(b"\0")
    out.mkdir(parents=True, exist_ok=True)
    names = []
    for entry in filter(None, listed):
        facts, _, path = entry.partition(b"\t")
        mode, _, digest = facts.decode("ascii").split(" ")
        name = path.decode("utf-8", "replace").removeprefix(f"{PLACE}/")
        if not name.lower().endswith((".yaml", ".yml")):
            continue
        if mode not in _ORDINARY or not _NAME.fullmatch(name):
            raise LanguageError(f"{shown(name)} is not an ordinary file with a plain name", "call it CODE.yaml")
        # A little more than is read is enough to be refused for its size.
        (out / name).write_bytes(_git(repository, "cat-file", "blob", digest)[: MAX_BYTES + 1])
        names.append(name)
    return names


def _git(repository: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(repository), *arguments]
    try:
        return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or b""
        cause = said.decode("utf-8", "replace").strip() or str(error)
        raise LanguageError(
            f"git cannot read {shown(arguments[-2])}: {cause[:200]}", "fetch the commit first"
        ) from error
