"""Where a publication goes: a Hub repository `org/name`, or a local folder of the same layout.

The rule, in this order:

1. `hf://org/name` is the Hub.
2. A `Path`, and text that starts with `.`, `~` or the root, is a folder.
3. Text that names an existing folder is that folder.
4. `org/name` (one slash, the Hub's characters) is the Hub, unless `org` is an existing folder: then it is refused,
   because it could be meant either way, and a slip must not send files to the internet.
5. Text with more than one slash is a folder; a single word is refused.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import HubError

HUB_PREFIX = "hf://"
# The Hub's own rule: 1 to 96 characters a part, no `--` or `..`, no dash or dot at either end.
_PART = r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_REPO_ID = re.compile(rf"{_PART}/{_PART}")


@dataclass(frozen=True)
class Target:
    """Either a Hub repository or a folder; exactly one of the two is set."""

    repo_id: str | None = None
    folder: Path | None = None

    def __str__(self) -> str:
        return self.repo_id or str(self.folder)


def is_repo_id(text: str) -> bool:
    """Whether this text has the form of a Hub repository id, `org/name`."""
    return len(text) <= 96 and not text.endswith(".git") and _REPO_ID.fullmatch(text) is not None


def parse_target(target: str | os.PathLike[str]) -> Target:
    """The place that this target names; the rule is at the top of this file.

    Raises:
        HubError: if the text is neither, or could be either.
    """
    if not isinstance(target, str):
        return Target(folder=Path(target).expanduser())
    if target.startswith(HUB_PREFIX):
        repo_id = target.removeprefix(HUB_PREFIX)
        if not is_repo_id(repo_id):
            raise HubError(f"'{target}' names no Hub repository", "write hf://org/name")
        return Target(repo_id=repo_id)
    path = Path(target).expanduser()
    if not target.strip():
        raise HubError("no target is given", "write org/name for the Hub, ./name for a local folder")
    if target.startswith((".", "~")) or path.is_absolute() or path.is_dir():
        return Target(folder=path)
    if is_repo_id(target):
        organisation = target.partition("/")[0]
        if Path(organisation).is_dir():
            raise HubError(
                f"'{target}' could be a Hub repository or a new folder in ./{organisation}",
                f"write ./{target} for the folder, or {HUB_PREFIX}{target} for the Hub",
            )
        return Target(repo_id=target)
    if target.count("/") > 1 or (os.sep != "/" and os.sep in target):
        return Target(folder=path)
    raise HubError(
        f"'{target}' is neither a Hub repository nor a folder", "write org/name for the Hub, ./name for a local folder"
    )
