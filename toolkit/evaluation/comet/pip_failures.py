"""Turns a failed installation into an error that says what to do, with the last lines of what was printed."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.errors import CogsymError, MissingPartError, OutputError

SHOWN_LINES = 5

_NO_ROOM = ("No space left on device", "Disk quota exceeded", "Errno 28", "Errno 122")
_NO_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProtocolError",
    "ProxyError",
    "SSLError",
    "Read timed out",
    "Connection refused",
    "Network is unreachable",
    "(from versions: none)",  # pip's only sign where it is told not to try again
)


def explain(lines: Sequence[str]) -> CogsymError:
    """What to tell when pip could not install COMET."""
    text = "\n".join(lines)
    if any(sign in text for sign in _NO_ROOM):
        return OutputError(
            f"no room left while installing COMET:\n{_last(lines)}",
            "free some space, or set COGSYM_COMET_HOME to a folder on another disk; pip unpacks in TMPDIR",
        )
    if any(sign in text for sign in _NO_NETWORK):
        return MissingPartError(
            f"COMET's packages cannot be downloaded:\n{_last(lines)}",
            "check the connection and pip's index, and run the command again; pip keeps what it has downloaded",
        )
    return MissingPartError(
        f"pip could not install COMET:\n{_last(lines)}",
        "COMET needs Python 3.11 or 3.12 and packages built for this system; the lines above say which is missing",
    )


def explain_venv(lines: Sequence[str]) -> CogsymError:
    """What to tell when no virtual environment could be made."""
    if any(sign in line for line in lines for sign in _NO_ROOM):
        return explain(lines)
    return MissingPartError(
        f"Python could not make a virtual environment:\n{_last(lines)}",
        "on Debian and Ubuntu, install the package python3-venv; or name another Python with --python",
    )


def explain_import(lines: Sequence[str]) -> CogsymError:
    """What to tell when everything was installed and COMET still cannot be imported."""
    return MissingPartError(
        f"COMET was installed, but cannot be imported:\n{_last(lines)}",
        "run the command again; it makes the environment anew",
    )


def _last(lines: Sequence[str]) -> str:
    return "\n".join([line for line in lines if line.strip()][-SHOWN_LINES:]) or "it said nothing"
