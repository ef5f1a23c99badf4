"""Requests that are many and small: the standard library's client on kept connections, with the same limits.

A request by `broker.http.limited_request` takes three times as long.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from broker.http.deadline import Deadline, TimedSocket, connect_in_time, timed_tls
from broker.http.limits import MAX_REDIRECTS, Reply
from broker.http.no_reply import (
    IN_THE_MIDST,
    BrokeOff,
    NotTrusted,
    Refused,
    TooSlow,
    Unreachable,
    Unreadable,
)
from broker.http.reason import tls_problem, why
from broker.http.tls import ORDINARY
from broker.http.whole_head import WholeHeadResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from broker.http.limits import Limits
    from broker.http.tls import Tls

IS_ACKNOWLEDGED_AT_ONCE = sys.platform == "linux"
"""Whether a program can ask for that; where it can't, a new connection for each request costs less."""
_SAME_METHOD = frozenset({307, 308})
_PORTS = {"http": 80, "https": 443}


class KeptConnections:
    """Sends requests to servers, and keeps a connection to each; safe from any thread.

    Args:
        limits: The limits of one request, with all redirects.
        tls: How TLS connections are made.
        context: What they are made with, if one thread alone sends requests, in the place of a new one for each.
    """

    def __init__(self, limits: Limits, tls: Tls = ORDINARY, context: ssl.SSLContext | None = None) -> None:
        self._limits = limits
        self._tls = tls
        self._context = context
        self._connections: dict[tuple[str, str], _Connection] = {}

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], private: Mapping[str, str] | None = None
    ) -> Reply:
        """Post to a URL, and to where it redirects with the same method.

        Args:
            url: The URL.
            body: The body.
            headers: The headers.
            private: More headers, which a redirect to another scheme, host or port does not take along.

        Raises:
            NoReply: There was no whole answer within the limits; the message says why.
        """
        whole = Deadline(self._limits.seconds)
        origin = urlsplit(url)[:2]
        for _ in range(MAX_REDIRECTS + 1):
            sent = {**headers, **(private or {})} if urlsplit(url)[:2] == origin else headers
            reply = self._send_in_time("POST", url, body, sent, whole)
            location = reply.redirects_to
            if reply.status not in _SAME_METHOD or location is None:
                return reply
            try:
                url = urljoin(url, location)
            except ValueError as error:
                raise Unreadable(f"it redirects to what is no URL: {error}") from error
        raise Unreadable(f"more than {MAX_REDIRECTS} redirects")

    def send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a request; a redirect is an answer like any other.

        Raises:
            NoReply: There was no whole answer within the limits; the message says why.
        """
        return self._send_in_time(method, url, body, headers, Deadline(self._limits.seconds))

    def close(self) -> None:
        """Close the connections that no request is sent on; the next one makes a new one."""
        while self._connections:
            with suppress(KeyError):  # another thread took the last one
                self._connections.popitem()[1].close()

    def _send_in_time(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], whole: Deadline
    ) -> Reply:
        with _meaning(self._limits):
            return self._send(method, urlsplit(url), body, headers, whole)

    def _send(
        self, method: str, parts: SplitResult, body: bytes, headers: Mapping[str, str], whole: Deadline
    ) -> Reply:
        place = (parts.scheme, parts.netloc)
        kept = self._connections.pop(place, None)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        authorities = os.environ.get("REQUESTS_CA_BUNDLE") or None
        for connection in (kept, _Connection(parts, self._limits, authorities, self._tls, self._context)):
            if connection is None:
                continue
            connection.begin(whole.left())
            try:
                connection.request_at_once(method, target, body or None, headers)
                connection.acknowledge_at_once()
                response = connection.getresponse()
                content = self._read(response)
            except (http.client.RemoteDisconnected, ConnectionError):
                connection.close()
                if connection is not kept:
                    raise
                continue  # it was closed while it was idle: once more, on a new one
            except BaseException:
                connection.close()
                raise
            if response.will_close or not IS_ACKNOWLEDGED_AT_ONCE:
                connection.close()
            else:
                self._connections[place] = connection
            found = {name.title(): value for name, value in response.headers.items()}
            lines = tuple(response.headers.items())
            return Reply(
                response.status,
                content,
                is_whole=True,
                headers=found,
                reason=response.reason,
                header_lines=lines,
            )
        raise AssertionError("the new connection answered or raised")

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        most = self._limits.max_bytes
        # with a length, `read()` alone notices that the answer broke off
        content = response.read() if 0 < (response.length or 0) <= most else response.read(most + 1)
        if len(content) > most:
            raise http.client.HTTPException(f"the answer is larger than {most} bytes")
        return content


def try_to_connect(
    url: str, limits: Limits, tls: Tls = ORDINARY, context: ssl.SSLContext | None = None
) -> None:
    """Connect to the server of a URL, with TLS if it is https, and send nothing.

    Unless there is a context, authorities are the system's and those of `SSL_CERT_FILE`, as where pact-python connects.

    Raises:
        NoReply: There is no connection within the limits; the message says why.
    """
    with _meaning(limits):
        connection = _Connection(urlsplit(url), limits, None, tls, context)
        try:
            connection.begin(limits.seconds)
            connection.connect()
        finally:
            connection.close()


@contextmanager
def _meaning(limits: Limits) -> Iterator[None]:
    """Raise errors of the standard library's client as what they mean."""
    try:
        yield
    except TimeoutError as error:
        raise TooSlow(f"timed out: {limits.too_slow}") from error
    except ssl.SSLError as error:
        raise NotTrusted(tls_problem(error) or str(error)) from error
    except http.client.RemoteDisconnected as error:
        raise Unreachable("the connection was closed without an answer") from error
    except OSError as error:
        kind = Refused if isinstance(error, ConnectionRefusedError) else Unreachable
        raise kind(why(error)) from error
    except http.client.IncompleteRead as error:
        raise BrokeOff(IN_THE_MIDST) from error
    except http.client.BadStatusLine as error:
        raise Unreadable(f"what came is not HTTP: {str(error).strip()}") from error
    except (ValueError, http.client.HTTPException) as error:
        raise Unreadable(str(error) or type(error).__name__) from error


class _Connection(http.client.HTTPConnection):
    """A connection that keeps to its deadline, which is set for each request; nothing is sent before."""

    response_class = WholeHeadResponse

    def __init__(
        self,
        parts: SplitResult,
        limits: Limits,
        authorities: str | None,
        tls: Tls,
        context: ssl.SSLContext | None = None,
    ) -> None:
        default_port = _PORTS.get(parts.scheme)
        if default_port is None:
            raise ValueError(f"it redirects to a URL that is not http: {parts.scheme}:")
        seconds = min(limits.connect_seconds, limits.seconds)
        super().__init__(parts.hostname or "", parts.port or default_port, timeout=seconds)
        self.default_port = default_port
        self.deadline = Deadline()
        self._tls = tls if parts.scheme == "https" else None
        self._authorities = authorities
        self._context = context
        self._unsent: list[bytes] | None = None

    def begin(self, seconds: float) -> None:
        """Begin a request that may take so many seconds."""
        self.deadline.set(seconds)
        if self.sock is not None:
            self.sock.settimeout(None)

    def request_at_once(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> None:
        """Send a request, head and body together: a server that reads them apart is woken twice."""
        self._unsent = []
        try:
            self.request(method, target, body, headers)
        finally:
            whole, self._unsent = b"".join(self._unsent), None
        self.send(whole)

    def send(self, data: Any) -> None:
        """Send bytes, or keep them until the whole request is there."""
        if self._unsent is None:
            super().send(data)
        else:
            self._unsent.append(data)

    def acknowledge_at_once(self) -> None:
        """Don't delay the acknowledgement of what comes next, as a system does on a connection that is kept.

        A server that sends the head of an answer and its body apart waits for it in between, 40 ms a request.
        """
        if IS_ACKNOWLEDGED_AT_ONCE and self.sock is not None:  # the system sets it back after a while
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def connect(self) -> None:
        """Connect, within the time that is left."""
        connect = lambda: socket.create_connection((self.host, self.port), self.timeout)  # noqa: E731
        self.sock = TimedSocket(connect_in_time(connect, self.host, self.deadline), self.deadline, None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            context = self._context or self._tls.context(self._authorities)
            self.sock = timed_tls(context, self.deadline).wrap_socket(self.sock, server_hostname=self.host)
