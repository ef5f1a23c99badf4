"""The version of a running provider, as the provider tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.http.limited_request import send_request
from broker.http.limits import Limits
from broker.http.names import NAME_RULE, is_name
from broker.http.no_reply import NoReply
from broker.http.strict_json import NotJson, parse_json
from broker.http.tls import ORDINARY
from verifier.commit_id import is_commit_id

if TYPE_CHECKING:
    from broker.http.tls import Tls

LIMITS = Limits(seconds=5, max_bytes=1024 * 1024)


class VersionUnknown(Exception):
    """The provider doesn't tell its version.

    Attributes:
        retryable: Whether it may do so later, because it is down now.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


def ask(url: str, pointer: str | None, tls: Tls = ORDINARY) -> str:
    """Request the version of the provider.

    Args:
        url: The URL that answers with it.
        pointer: The JSON pointer (RFC 6901) to it in the answer; None if the whole answer is the version.
        tls: How TLS connections are made.

    Raises:
        VersionUnknown: The provider doesn't tell it.
    """
    try:
        reply = send_request("GET", url, limits=LIMITS, direct=True, follow_redirects=True, tls=tls)
    except NoReply as error:
        raise VersionUnknown(
            f"the provider's version can't be asked for at {url}: {error} (version_url)", retryable=True
        ) from error
    if reply.status != 200:
        raise VersionUnknown(
            f"the provider's version can't be asked for: {url} answered {reply.status} (version_url)",
            retryable=reply.status >= 500,
        )
    if not reply.is_whole:
        raise VersionUnknown(f"{url} answered with more than 1 MiB (version_url)", retryable=False)
    if pointer is None:
        found: Any = reply.content.decode("utf-8", "replace").strip()
    else:
        try:
            found = _find(parse_json(reply.content), pointer)
        except NotJson as error:
            raise VersionUnknown(f"the answer of {url} {error} (version_url)", retryable=False) from error
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not is_name(found.strip()):
        raise VersionUnknown(
            f"the answer of {url} has no version at {pointer or 'its place'}: it {NAME_RULE} "
            "(version_url, version_pointer)",
            retryable=False,
        )
    return found.strip()


def is_same(asked: str, runs: str) -> bool:
    """Return whether the running version is the requested one; either may be a commit id that is shortened."""
    if not (is_commit_id(asked) and is_commit_id(runs)):
        return asked == runs  # "20240101-rc1" is no commit that 20240101 could be short for
    first, second = asked.lower(), runs.lower()
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]


def _find(document: Any, pointer: str) -> Any:
    found = document
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(key)
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found
