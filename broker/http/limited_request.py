"""One HTTP request whose answer is limited, both in size and in time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import HTTPError

from broker.http.limited_connections import LimitedAdapter
from broker.http.reason import innermost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PART_BYTES = 65536


class NoReply(Exception):
    """No whole answer was received; the message says why."""


@dataclass(frozen=True)
class Limits:
    """The limits of one request.

    Attributes:
        seconds: The time that the whole exchange may take.
        max_bytes: The largest body that is read.
    """

    seconds: float
    max_bytes: int


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        status: The HTTP status.
        content: The body, unpacked.
        is_whole: False if the body is larger than the limit, where it was cut off.
    """

    status: int
    content: bytes = field(repr=False)
    is_whole: bool


class Session(requests.Session):
    """A session that doesn't look where a redirect leads.

    That of requests does, also where it doesn't follow it: it reads all of the body, and raises `ValueError` for a
    `Location` that can't be read as a URL.
    """

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - the name is requests'
        """Return None, whatever the answer."""
        return None


class BearerToken(requests.auth.AuthBase):
    """A bearer token, or none; with either, requests doesn't look into ~/.netrc."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token to a request, if there is one."""
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def send_request(
    method: str,
    url: str,
    *,
    limits: Limits,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    json: Any = None,
    direct: bool = False,
    follow_redirects: bool = False,
) -> Reply:
    """Send a request once, and read the answer.

    Args:
        method: The HTTP method.
        url: The URL.
        limits: The limits of time and size.
        headers: More headers.
        token: A bearer token.
        json: The body.
        direct: Whether proxies and certificates that the environment names are left aside.
        follow_redirects: Whether redirects are followed, to any place; if not, one is an answer like any other.

    Raises:
        NoReply: There was no answer, or not all of it in time.
    """
    too_slow = f"no whole answer within {limits.seconds:g} s"
    kind = requests.Session if follow_redirects else Session
    with LimitedAdapter(limits.seconds) as adapter, kind() as session:
        session.trust_env = not direct
        session.auth = BearerToken(token)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        try:
            with session.request(
                method,
                url,
                headers=headers,
                json=json,
                timeout=limits.seconds,
                allow_redirects=follow_redirects,
                stream=True,
            ) as response:
                content, is_whole = read(response, limits.max_bytes)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise NoReply(too_slow if adapter.is_over else innermost(error)) from error
        if adapter.is_over:  # an answer that ends with its connection seems whole when that is cut off
            raise NoReply(too_slow)
    return Reply(response.status_code, content, is_whole)


def read(
    response: requests.Response, max_bytes: int, check: Callable[[], object] = lambda: None
) -> tuple[bytes, bool]:
    """Read the body of an answer, unpacked.

    Args:
        response: An answer to a request with `stream=True`.
        max_bytes: The size at which reading ends.
        check: Called after each part that was received; it raises an exception to end reading.

    Returns:
        The body, and whether that is all of it.

    Raises:
        HTTPError: Urllib3's, where the body can't be read.
    """
    content = bytearray()
    while part := response.raw.read1(_PART_BYTES, decode_content=True):
        content += part
        if len(content) > max_bytes:
            return bytes(content[:max_bytes]), False
        check()
    return bytes(content), True
