"""Turns whatever the Hub's client raises into one `HubError` that says what to do, and never shows a token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import get_token

from toolkit.errors import CogsymError, HubError
from toolkit.hub.leaks import hide_tokens

LOG_IN = "log in with `hf auth login`, with a token that may write to this place"
AGAIN = "run the same command again: it goes on where it stopped"
# The client is built on requests, httpx or httpx2, depending on its version; its own error derives from theirs.
_TRANSPORT_ERROR: type[Exception] = next(
    kind for kind in HfHubHTTPError.__mro__[1:] if not kind.__module__.startswith("huggingface_hub")
)  # type: ignore[assignment]


@contextmanager
def hub_errors(action: str, repo_id: str, *, writing: bool = False, token: str | bool | None = None) -> Iterator[None]:
    """Raise every failure of the Hub's client inside as a `HubError`.

    Args:
        action: what was being tried, as in "cannot {action}".
        repo_id: the repository it is about.
        writing: whether a permission that is missing is one to write.
        token: what the client was given; it never shows in what is raised.
    """
    try:
        yield
    except CogsymError:
        raise
    except Exception as error:
        told = explain(error, action, repo_id, writing=writing, token=token_in_use(token))
        if told is None:
            raise
        # The cause is not chained: its text and its request may hold the token.
        raise told from None


def token_in_use(given: str | bool | None = None) -> str | None:
    """The token that a client sends which was given this; None where there is none, or where it cannot even be had."""
    if isinstance(given, str):
        return given
    if given is False:
        return None
    try:
        return get_token()
    except Exception:
        return None


def explain(
    error: Exception, action: str, repo_id: str, *, writing: bool = False, token: str | None = None
) -> HubError | None:
    """What to tell about this error, or None if it did not come from the Hub or the way there."""
    start = f"cannot {action}"
    error = _unwrap(error)
    if isinstance(error, GatedRepoError):
        return _gated(error, repo_id, token)
    if isinstance(error, LocalTokenNotFoundError):
        return HubError(f"{start}: you are not logged in", LOG_IN)
    if isinstance(error, OfflineModeIsEnabled):
        return HubError(f"{start}: offline mode is on", "unset HF_HUB_OFFLINE, or use what was downloaded before")
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return _explain_status(error, start, repo_id, writing=writing, token=token)
    if isinstance(error, LocalEntryNotFoundError):
        return HubError(
            f"{start}: {repo_id} is not on this machine, or only in part, and the Hub cannot be reached",
            "check the connection and HF_HUB_OFFLINE, and " + AGAIN,
        )
    if isinstance(error, EntryNotFoundError):
        return HubError(f"{start}: a file is missing in {repo_id}", "check that it is a published delta")
    if isinstance(error, HFValidationError):
        return HubError(f"{start}: {_text(error, token)}", "write the id as org/name")
    if _is_network(error):
        return HubError(f"{start}: the connection to the Hub failed ({_text(error, token)})", AGAIN)
    if type(error).__name__ == "OIDCError":  # unknown to older clients
        return HubError(f"{start}: {_text(error, token)}", "see https://huggingface.co/docs/hub/trusted-publishers")
    # The storage's own protocol (Xet) and its refusals come without a class of their own.
    if type(error).__name__ == "XetDownloadError" or type(error) is RuntimeError or "LFS batch" in str(error):
        return HubError(
            f"{start}: the transfer failed ({_text(error, token)})", f"{AGAIN}; or try HF_HUB_DISABLE_XET=1"
        )
    return None


def _unwrap(error: Exception) -> Exception:
    """What the Hub or the connection said, where the client wraps it: an upload's error, or a look into the cache."""
    cause = error.__cause__
    if isinstance(cause, Exception) and (
        (isinstance(error, LocalEntryNotFoundError) and isinstance(cause, HfHubHTTPError))
        or (type(error) is RuntimeError and _is_network(cause))
    ):
        return cause
    return error


def _gated(error: GatedRepoError, repo_id: str, token: str | None) -> HubError:
    asked = urlsplit(str(error.response.url))
    url = f"{asked.scheme}://{asked.netloc}/{repo_id}"
    if token is None:
        message = f"{repo_id} is gated, and you are not logged in"
    else:
        message = f"{repo_id} is gated, and your account has no access to it yet"
    return HubError(
        message,
        f"ask for access at {url} (its licence has to be accepted there), then `hf auth login` with a token of that "
        "account; or pass a folder that holds the base: --base FOLDER",
    )


def _explain_status(error: HfHubHTTPError, start: str, repo_id: str, *, writing: bool, token: str | None) -> HubError:
    status = error.response.status_code
    said = hide_tokens(" ".join((error.server_message or "").split()), token)
    because = f" ({said})" if said else ""
    if isinstance(error, RevisionNotFoundError):
        return HubError(f"{start}: {repo_id} has no such revision", "check the branch, tag, commit or refs/pr/N")
    if status == 401 and token is None:
        return HubError(f"{start}: {repo_id} does not exist or is private, and you are not logged in", LOG_IN)
    if status == 401:
        return HubError(f"{start}: the Hub does not accept your token{because}", "renew it with `hf auth login`")
    if status == 403:
        hint = "ask its owners for write access, or publish with --create-pr" if writing else "ask its owners"
        return HubError(f"{start}: you have no permission for {repo_id}{because}", f"{hint}; or {LOG_IN}")
    if isinstance(error, RepositoryNotFoundError) or status == 404:
        return HubError(
            f"{start}: {repo_id} does not exist, or your account may not see it{because}",
            "check the spelling; if it is private, log in with `hf auth login`",
        )
    if status in (409, 412):
        return HubError(
            f"{start}: somebody else changed {repo_id} in the meantime{because}",
            "nothing of yours was written; look at the newer version, then publish again",
        )
    if status == 416:
        return HubError(f"{start}: a file changed while it was being downloaded{because}", AGAIN)
    if status == 429:
        return HubError(f"{start}: too many requests in a short time{because}", f"wait five minutes, then {AGAIN}")
    if status >= 500:
        return HubError(f"{start}: the Hub has a fault ({status}){because}", f"wait a little, then {AGAIN}")
    return HubError(f"{start}: the Hub refused it ({status}){because}", "correct what it names, and publish again")


def is_unreachable(error: Exception) -> bool:
    """Whether the Hub could not be asked: no connection, or a fault on its side, but no refusal."""
    if isinstance(error, HfHubHTTPError):
        return error.response is not None and error.response.status_code >= 500
    return isinstance(error, OfflineModeIsEnabled | LocalEntryNotFoundError) or _is_network(error)


def _is_network(error: Exception) -> bool:
    if isinstance(error, _TRANSPORT_ERROR):
        return True
    # requests' and urllib's connection errors; an OSError with a file name is about this machine's disk.
    return isinstance(error, OSError) and error.filename is None and error.errno not in (28, 122, 30)


def _text(error: Exception, token: str | None) -> str:
    first = next(iter(str(error).strip().splitlines()), "")
    return hide_tokens(first, token)[:300] or error.__class__.__name__
