"""The status of an answer, for when nothing else of it matters and no HTTP library is loaded yet.

A run that verifies a handful of interactions takes less time than the import of `requests` (70 ms) or of `http.client`
(20 ms), and makes one such request. `broker.http.limited_request` does all that isn't as simple.
"""

from __future__ import annotations

import re
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from broker.http.no_reply import TooSlow, Unreachable
from broker.http.reason import no_whole_answer, tls_problem, why
from broker.http.tls import ORDINARY

if TYPE_CHECKING:
    from broker.http.tls import Tls

LONGEST_HEAD = 65536
REST_BYTES, REST_SECONDS, SILENT_SECONDS = 16 * 1024 * 1024, 2.0, 0.25
"""How much is read of what follows the head, and for how long if bytes keep coming: a server whose answer isn't read to
its end may log a broken connection."""

_PORTS = {"http": 80, "https": 443}
_STATUS = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d)[ \r\n]")
_LENGTH = re.compile(rb"^Content-Length:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_END = re.compile(rb"\r?\n\r?\n")


def quick_status(url: str, seconds: float, tls: Tls = ORDINARY, *, stated: float | None = None) -> int | None:
    """Request a URL, and return the status of its answer; a redirect is not followed, and any certificate is taken.

    Args:
        url: The URL.
        seconds: The time until the head of the answer must be there.
        tls: What is shown on a TLS connection.
        stated: The seconds that messages name, if that time is what is left of a longer one.

    Returns:
        The status; None if it takes a whole client, for an answer that doesn't begin as usual.

    Raises:
        NoReply: There was no answer in time.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or parts.hostname is None or not url.isascii():
        return None
    end = time.monotonic() + seconds
    try:
        with _connection(scheme, parts.hostname, parts.port or _PORTS[scheme], seconds, tls) as connection:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            lines = [
                f"GET {target} HTTP/1.1",
                f"Host: {parts.netloc.rpartition('@')[2]}",
                "User-Agent: pact-dispatch",
                "Accept: */*",
                "Connection: close",
            ]
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            head, rest = _read_head(connection, end)
            status = _STATUS.match(head)
            if status is None:
                return None
            _read_rest(connection, head, len(rest))
            return int(status[1])
    except TimeoutError as error:
        raise TooSlow(no_whole_answer(seconds if stated is None else stated)) from error
    except OSError as error:
        raise Unreachable(tls_problem(error) or why(error)) from error


def _connection(scheme: str, host: str, port: int, seconds: float, tls: Tls) -> socket.socket:
    name: Any = host.encode()  # for a name as text Python would import the codec of international ones
    connection = socket.create_connection((name, port), seconds)
    if scheme == "http":
        return connection
    import ssl  # noqa: PLC0415 - few providers speak TLS

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        tls.show(context)
        return context.wrap_socket(connection, server_hostname=host)
    except OSError:
        connection.close()
        raise


def _read_head(connection: socket.socket, end: float) -> tuple[bytes, bytes]:
    """Return the head of the answer, and what came with it of the body; what there is if the server ends it before."""
    received = b""
    while (found := _END.search(received)) is None and len(received) < LONGEST_HEAD:
        part = _receive(connection, end)
        if not part:
            break
        received += part
    return (b"", received) if found is None else (received[: found.end()], received[found.end() :])


def _read_rest(connection: socket.socket, head: bytes, received: int) -> None:
    length = _LENGTH.search(head)
    wanted = min(REST_BYTES, int(length[1])) if length else REST_BYTES
    end = time.monotonic() + REST_SECONDS
    with suppress(OSError):  # it has answered
        while received < wanted:
            part = _receive(connection, min(end, time.monotonic() + SILENT_SECONDS))
            if not part:
                break
            received += len(part)


def _receive(connection: socket.socket, end: float) -> bytes:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    return connection.recv(65536)
