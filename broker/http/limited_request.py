"""HTTP requests whose answers are limited, both in size and in time.

The only way in which the verifier, the receiver and the client of a broker send requests.
"""

from __future__ import annotations

import http.client
import time
import warnings
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin

import requests
from urllib3.exceptions import DecodeError, HTTPError, InsecureRequestWarning, ProtocolError
from urllib3.exceptions import TimeoutError as TimedOut

from broker.http.deadline import Deadline
from broker.http.limited_connections import LimitedAdapter
from broker.http.limits import MAX_REDIRECTS, Reply
from broker.http.no_reply import (
    IN_THE_MIDST,
    BrokeOff,
    NoReply,
    NotSent,
    NotTrusted,
    ProxyFailed,
    TooSlow,
    Unreachable,
    Unreadable,
)
from broker.http.reason import innermost, innermost_error
from broker.http.redirects import REDIRECTS
from broker.http.request_log import note_request
from broker.http.request_spans import note_status, request_span
from broker.http.tls import ORDINARY
from broker.traces.propagation import trace_headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from broker.http.limits import Limits
    from broker.http.tls import Tls

_PART_BYTES = 65536


_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[NoReply]], ...] = (
    ((requests.exceptions.SSLError,), NotTrusted),
    ((requests.exceptions.ProxyError,), ProxyFailed),
    ((requests.exceptions.ConnectionError,), Unreachable),
    ((ProtocolError,), BrokeOff),
    ((requests.exceptions.InvalidURL, requests.exceptions.MissingSchema), NotSent),
    ((requests.RequestException, HTTPError, ValueError), Unreadable),
)
"""What the errors of requests and urllib3 mean; the first line that fits counts."""


class BearerToken(requests.auth.AuthBase):
    """A bearer token, or none; with either, requests doesn't look into ~/.netrc."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token to a request, if there is one."""
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Session(requests.Session):
    """A session that doesn't look where a redirect leads.

    That of requests does, also where it doesn't follow it: it reads all of the body, and raises `ValueError` for a
    `Location` that can't be read as a URL.
    """

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - the name is requests'
        """Return None, whatever the answer."""
        return None


class LimitedSession:
    """Sends one request after the other, and keeps the connections.

    Use it as a context manager: leaving it closes the connections. Redirects are answers like any other.

    Args:
        auth: What adds credentials to a request; it decides which requests get them.
        headers: Headers of each request.
        direct: Whether proxies and certificates that the environment names are left aside.
        trusts_all: Whether any certificate is accepted.
        tls: Which authorities are trusted otherwise, and what is shown to the other side.
        tells_trace: Whether requests say which span they belong to.
    """

    def __init__(
        self,
        *,
        auth: requests.auth.AuthBase | None = None,
        headers: Mapping[str, str] | None = None,
        direct: bool = False,
        trusts_all: bool = False,
        tls: Tls = ORDINARY,
        tells_trace: bool = False,
    ) -> None:
        self._tells_trace = tells_trace
        self._deadline = Deadline()
        self._session = _Session()
        self._session.trust_env = not direct
        self._session.auth = auth or BearerToken(None)
        self._session.headers.update(headers or {})
        self._trusts_all = trusts_all or not tls.checks
        self._ca_file = tls.ca_file
        adapter = LimitedAdapter(self._deadline, tls)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        limits: Limits,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: str | bytes | None = None,
    ) -> Reply:
        """Send a request once, and read the answer.

        Args:
            method: The HTTP method.
            url: The URL.
            limits: The limits of time and size.
            headers: More headers.
            json: The body, to be written as JSON.
            body: Or the body as it is.

        Raises:
            NoReply: There was no answer, or not all of it in time; the subclass and the message say why.
        """
        with request_span(method, url) as span:
            if self._tells_trace and (told := trace_headers(span.context)):
                headers = {**(headers or {}), **told}
            reply = self._send(method, url, limits=limits, headers=headers, json=json, body=body)
            note_status(span, reply.status)
        return reply

    def _send(
        self,
        method: str,
        url: str,
        *,
        limits: Limits,
        headers: Mapping[str, str] | None,
        json: Any,
        body: str | bytes | None,
    ) -> Reply:
        self._deadline.set(limits.seconds)
        begun = time.monotonic()
        try:
            with (
                self._without_warning(),
                self._session.request(
                    method,
                    url,
                    headers=headers,
                    json=json,
                    data=body,
                    timeout=(
                        min(limits.connect_seconds, limits.seconds),
                        min(limits.silent_seconds, limits.seconds),
                    ),
                    verify=False if self._trusts_all else self._ca_file,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                reply = self._read(response, limits.max_bytes)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            no_reply = self._no_reply(error, limits)
            note_request(method, url, f"no answer: {no_reply}", begun)
            raise no_reply from error
        note_request(method, url, f"answered {reply.status}", begun)
        return reply

    @contextmanager
    def _without_warning(self) -> Iterator[None]:
        """Leave out urllib3's warning about certificates that nobody looks at, where that is wanted."""
        if not self._trusts_all:
            yield
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureRequestWarning)
            yield

    def _read(self, response: requests.Response, max_bytes: int) -> Reply:
        content = bytearray()
        is_redirect = response.status_code in REDIRECTS and "Location" in response.headers
        if max_bytes and not is_redirect:
            while part := response.raw.read1(_PART_BYTES, decode_content=True):
                content += part
                if len(content) > max_bytes:
                    break
                self._deadline.left()
        is_whole = len(content) <= max_bytes
        return Reply(
            response.status_code,
            bytes(content[:max_bytes]),
            is_whole,
            response.headers,
            response.reason or "",
        )

    def _no_reply(self, error: Exception, limits: Limits) -> NoReply:
        """Return what an error of requests or urllib3 means."""
        if late := self._too_slow(error, limits):
            return TooSlow(late)
        if isinstance(error, DecodeError):
            return Unreadable(f"its compression is broken ({innermost(error)})")
        if isinstance(innermost_error(error), http.client.IncompleteRead):
            return BrokeOff(IN_THE_MIDST)
        for kinds, meaning in _MEANINGS:
            if isinstance(error, kinds):
                return meaning(innermost(error))
        # requests: "Could not find a suitable TLS CA certificate bundle"
        return NotSent(f"{innermost(error)} (REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE)")

    def _too_slow(self, error: Exception, limits: Limits) -> str | None:
        """Return what did not come in time; None if the error is another one."""
        if self._deadline.is_over:
            return limits.too_slow
        if isinstance(error, requests.exceptions.ConnectTimeout):
            return f"no connection within {limits.connect_seconds:g} s"
        if isinstance(error, (requests.exceptions.Timeout, TimedOut, TimeoutError)):
            return f"nothing came for {limits.silent_seconds:g} s"
        return None


def send_request(  # noqa: PLR0913
    method: str,
    url: str,
    *,
    limits: Limits,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    json: Any = None,
    direct: bool = False,
    follow_redirects: bool = False,
    tls: Tls = ORDINARY,
) -> Reply:
    """Send a request once, on a connection of its own, and read the answer.

    Args:
        method: The HTTP method.
        url: The URL.
        limits: The limits of time and size; with redirects, of all of them together.
        headers: More headers.
        token: A bearer token.
        json: The body.
        direct: Whether proxies and certificates that the environment names are left aside.
        follow_redirects: Whether redirects are followed, to any place; if not, one is an answer like any other.
        tls: How TLS connections are made.

    Raises:
        NoReply: There was no answer, or not all of it in time.
    """
    if follow_redirects and (token is not None or json is not None):
        raise ValueError("a token or a body doesn't follow a redirect")
    whole = Deadline(limits.seconds)
    with LimitedSession(auth=BearerToken(token), direct=direct, tls=tls) as session:
        reply = session.send(method, url, limits=limits, headers=headers, json=json)
        for _ in range(MAX_REDIRECTS if follow_redirects else 0):
            if reply.redirects_to is None:
                return reply
            try:
                url = urljoin(url, reply.redirects_to)
                left = replace(limits, seconds=whole.left(), stated=limits.stated or limits.seconds)
            except ValueError as error:
                raise Unreadable("it redirects to what can't be read as a URL") from error
            except TimeoutError as error:
                raise TooSlow(limits.too_slow) from error
            reply = session.send(method, url, limits=left, headers=headers)
    if follow_redirects and reply.redirects_to is not None:
        raise Unreadable(f"more than {MAX_REDIRECTS} redirects")
    return reply
