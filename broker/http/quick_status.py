"""The status of an answer, for when nothing else of it matters and no HTTP library is loaded yet.

A run that verifies a handful of interactions takes less time than the import of `requests` (70 ms) or of `http.client`
(20 ms), and makes one such request. `broker.http.limited_request` does all that isn't as simple.
"""

from __future__ import annotations

import re
import socket
import time
from contextlib import suppress
from urllib.parse import urlsplit

from broker.http.no_reply import TooSlow, Unreachable

LONGEST_HEAD = 65536
REST_BYTES, REST_SECONDS = 65536, 0.25
"""How much is read of what follows the head: a server whose answer isn't read may log a broken connection."""

_STATUS = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d)[ \r\n]")
_LENGTH = re.compile(rb"^Content-Length:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_END = re.compile(rb"\r?\n\r?\n")


def quick_status(url: str, seconds: float) -> int | None:
    """Request a URL, and return the status of its answer; a redirect is not followed.

    Args:
        url: The URL.
        seconds: The time until the head of the answer must be there.

    Returns:
        The status; None if it takes a whole client: for TLS, and an answer that doesn't begin as usual.

    Raises:
        NoReply: There was no answer in time.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() != "http" or parts.hostname is None or not url.isascii():
        return None
    end = time.monotonic() + seconds
    try:
        with socket.create_connection((parts.hostname, parts.port or 80), seconds) as connection:
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
        raise TooSlow(f"no whole answer within {seconds:.3g} s") from error
    except OSError as error:
        raise Unreachable(error.strerror or str(error)) from error


def _read_head(connection: socket.socket, end: float) -> tuple[bytes, bytes]:
    """Return the head of the answer, and what came with it of the body; what there is if the server ends it before."""
    received = b""
    while len(received) < LONGEST_HEAD:
        found = _END.search(received)
        if found is not None:
            return received[: found.end()], received[found.end() :]
        part = _receive(connection, end)
        if not part:
            break
        received += part
    return b"", received


def _read_rest(connection: socket.socket, head: bytes, received: int) -> None:
    length = _LENGTH.search(head)
    wanted = min(REST_BYTES, int(length[1])) if length else REST_BYTES
    end = time.monotonic() + REST_SECONDS
    with suppress(OSError):  # it has answered
        while received < wanted and (part := _receive(connection, end)):
            received += len(part)


def _receive(connection: socket.socket, end: float) -> bytes:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    return connection.recv(65536)
