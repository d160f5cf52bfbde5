"""What a licence asks of whoever passes a delta on, and the files that go with it."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup

from toolkit.records import BaseInfo

LICENCE_FILE, NOTICE_FILE, POLICY_FILE = "LICENSE.txt", "NOTICE.txt", "USE_POLICY.md"
LICENCE_FILES = (LICENCE_FILE, NOTICE_FILE, POLICY_FILE)
UNKNOWN = "unknown"
"""The Hub's own tag for a licence that nobody has stated."""

LLAMA2 = "llama2"
LLAMA2_LICENCE_URL = "https://ai.meta.com/llama/license/"
LLAMA2_POLICY_URL = "https://ai.meta.com/llama/use-policy/"
LLAMA2_NOTICE = (
    "Llama 2 is licensed under the LLAMA 2 Community License, Copyright (c) Meta Platforms, Inc. All Rights Reserved."
)
_LLAMA2_POLICY = f"""# Acceptable use

This delta changes weights of Llama 2. Whoever uses Llama 2, and so whoever uses this delta, has agreed to Meta's
Acceptable Use Policy for Llama 2, which is part of the LLAMA 2 Community License:

<{LLAMA2_POLICY_URL}>
"""

# Tag -> what people call it, and where to read it.
KNOWN: dict[str, tuple[str, Markup]] = {
    "apache-2.0": ("Apache License 2.0", Markup("https://www.apache.org/licenses/LICENSE-2.0")),
    "cc-by-4.0": ("CC BY 4.0", Markup("https://creativecommons.org/licenses/by/4.0/")),
    "cc-by-nc-4.0": ("CC BY-NC 4.0", Markup("https://creativecommons.org/licenses/by-nc/4.0/")),
    "cc-by-nc-sa-4.0": ("CC BY-NC-SA 4.0", Markup("https://creativecommons.org/licenses/by-nc-sa/4.0/")),
    "cc-by-sa-4.0": ("CC BY-SA 4.0", Markup("https://creativecommons.org/licenses/by-sa/4.0/")),
    "cc0-1.0": ("CC0 1.0", Markup("https://creativecommons.org/publicdomain/zero/1.0/")),
    LLAMA2: ("LLAMA 2 Community License", Markup(LLAMA2_LICENCE_URL)),
    "mit": ("MIT License", Markup("https://opensource.org/license/mit")),
}
_BY_BASE = ((re.compile(r"pocket"), "apache-2.0"), (re.compile(r"(?:.*/)?llama-?2-\d+b.*", re.IGNORECASE), LLAMA2))
_NONCOMMERCIAL = re.compile(r"(?i)(?<![a-z])nc(?![a-z])|non-?\s?commercial")


def licence_of(base: BaseInfo) -> str:
    """Hub tag of the base's licence: as recorded, else known by the base's name, else `unknown`."""
    if base.licence:
        return base.licence
    return next((tag for pattern, tag in _BY_BASE if pattern.fullmatch(base.id)), UNKNOWN)


def is_noncommercial(licence: str | None) -> bool:
    """Whether this licence forbids commercial use."""
    return licence is not None and _NONCOMMERCIAL.search(licence) is not None


def licence_files(tag: str, base: Path | None = None) -> dict[str, bytes]:
    """The files that a delta on a base of this licence must carry, by name.

    Args:
        tag: Hub tag of the base's licence.
        base: folder of the base; agreement, notice and policy are copied where it holds them.
    """
    files = _copied(base) if base else {}
    if tag == LLAMA2:
        notice = files.get(NOTICE_FILE, b"")
        if LLAMA2_NOTICE not in " ".join(notice.decode("utf-8", "replace").split()):
            files[NOTICE_FILE] = f"{LLAMA2_NOTICE}\n".encode() + notice
        files.setdefault(POLICY_FILE, _LLAMA2_POLICY.encode())
    return files


def _copied(base: Path) -> dict[str, bytes]:
    """What the base folder holds, under the names that a published delta uses."""
    names = {
        LICENCE_FILE: ("LICENSE.txt", "LICENSE", "LICENSE.md"),
        NOTICE_FILE: ("NOTICE.txt", "NOTICE", "Notice"),
        POLICY_FILE: ("USE_POLICY.md",),
    }
    found = {}
    for name, spellings in names.items():
        path = next((base / spelling for spelling in spellings if (base / spelling).is_file()), None)
        if path is not None:
            found[name] = path.read_bytes()
    return found
