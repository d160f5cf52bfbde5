"""Finds what must never be published: access tokens, and paths of the machine that a run was made on."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

_TOKENS = {
    "Hugging Face token": rb"hf_(?:[A-Za-z0-9]{30,}|(?:jwt|oauth)_[A-Za-z0-9_.-]{20,})",
    "GitHub token": rb"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    "AWS access key": rb"(?<![A-Z0-9])AKIA[A-Z0-9]{16}(?![A-Z0-9])",
    "OpenAI key": rb"(?<![A-Za-z0-9])sk-[A-Za-z0-9_\-]{32,}",
    "private key": rb"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}
_TOKEN = {name: re.compile(pattern) for name, pattern in _TOKENS.items()}
# `https://example.org/home/x` and `docs/home/x` are no paths of this machine, hence the look-behind.
_PATH = re.compile(
    r"(?<![\w/.:~-])(?:/(?:home|Users|root|tmp|mnt|media|var|opt|srv|workspace|content|kaggle)/[^\s\"'`<>|)\]]+)"
    r"|(?<![A-Za-z])[A-Za-z]:\\{1,2}[^\s\"'`<>|]+"
    r"|file://[^\s\"'`<>|)\]]+"
)
_HIDDEN = "[token hidden]"


def find_tokens(data: bytes) -> list[str]:
    """The kinds of access tokens in these bytes; never the tokens themselves."""
    return [kind for kind, pattern in _TOKEN.items() if pattern.search(data)]


def hide_tokens(text: str, *known: str | None) -> str:
    """The text with every token, and every secret in `known`, replaced."""
    for secret in known:
        if secret:
            text = text.replace(secret, _HIDDEN)
    data = text.encode("utf-8", errors="surrogatepass")
    for pattern in _TOKEN.values():
        data = pattern.sub(_HIDDEN.encode(), data)
    return data.decode("utf-8", errors="surrogatepass")


def find_local_paths(text: str, root: Path, *, guess: bool) -> list[str]:
    """Paths of this machine in the text.

    Args:
        text: what will be published.
        root: the run folder; its own path, the home and the temporary folder are always looked for.
        guess: also look for what has the form of a path on any machine. Leave out where people's sentences are
            searched, which may speak of paths.
    """
    own = {str(root.resolve()), str(Path.home()), tempfile.gettempdir(), os.getcwd()} - {os.sep}
    found = [place for place in sorted(own) if re.search(rf"(?<!\w){re.escape(place)}(?!\w)", text)]
    if guess:
        found += [match.group() for match in _PATH.finditer(text)]
    return list(dict.fromkeys(found))
