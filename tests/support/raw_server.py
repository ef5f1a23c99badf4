"""A server on loopback that answers with bytes as they are given: broken, without end, or one byte now and then."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

DRIPS = {
    "nothing": (b"", b""),
    "status": (b"", b"H"),
    "headers": (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"y"),
    "body": (b"HTTP/1.1 200 OK\r\n\r\n", b"y"),
    "body of a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"y"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "size of a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "refusal": (b"HTTP/1.1 400 No\r\nContent-Type: text/plain\r\n\r\n", b"y"),
}
"""Answers that never end: how they begin, and what comes again and again; nothing at all is one of them."""


def _answer(*headers: bytes, body: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: application/json", *headers]
    return b"\r\n".join([*lines, b"", body])


_BODY = b'{"a": "another thing"}'
_LENGTH = b"Content-Length: %d" % len(_BODY)
_LONGER = b"Content-Length: %d" % (len(_BODY) + 1)
_CHUNKS = b"Transfer-Encoding: chunked"
_CHUNK = b"%x\r\n%b\r\n" % (len(_BODY), _BODY)
BROKEN_OFF = {
    "nothing": b"",
    "status without an end": b"HTTP/1.1 200",
    "status": b"HTTP/1.1 200 OK\r\n",
    "error's status": b"HTTP/1.1 500 Internal Server Error\r\n",
    "100 Continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "name of a header": b"HTTP/1.1 200 OK\r\nContent-T",
    "head without its blank line": _answer(_LENGTH, body=b"").removesuffix(b"\r\n"),
    "head": _answer(_LENGTH, body=b""),
    "body": _answer(_LENGTH, body=_BODY[:-5]),
    "error's body": _answer(_LENGTH, body=_BODY[:-5]).replace(b"200 OK", b"404 Not Found"),
    "body that could be whole": _answer(_LONGER, body=_BODY),
    "body before its connection is closed": _answer(_LONGER, b"Connection: close", body=_BODY),
    "size of the first chunk": _answer(_CHUNKS, body=b"0"),
    "chunk": _answer(_CHUNKS, body=_CHUNK[:-7]),
    "last chunk": _answer(_CHUNKS, body=_CHUNK),
    "size of the last chunk": _answer(_CHUNKS, body=_CHUNK + b"0"),
    "end of the last chunk": _answer(_CHUNKS, body=_CHUNK + b"0\r\n"),
}
"""Answers that end in the midst of what they are named by."""
CLOSED_AT_THE_END = {"body without a length": _answer(body=_BODY)}
"""Answers that are whole if their connection is closed, and not if it is reset."""


class RawServer:
    """A listener that answers with the given bytes, again and again if told so, whatever it is sent.

    Args:
        answer: What each request is answered with.
        again: What is sent after that until the client or the test is done; b"" closes the connection instead.
        pause: The seconds before each of these.
        hang: Whether the connection stays open, without another byte.
        reset: Whether the connection is reset in the end, and not closed.
    """

    def __init__(
        self,
        answer: bytes,
        *,
        again: bytes = b"",
        pause: float = 0.0,
        hang: bool = False,
        reset: bool = False,
    ) -> None:
        self._answer, self._again, self._pause, self._hang, self._reset = answer, again, pause, hang, reset
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @classmethod
    def dripping(cls, name: str) -> Self:
        """Return one that gives an answer of `DRIPS`."""
        answer, again = DRIPS[name]
        return cls(answer, again=again, pause=0.02, hang=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError):
            _read_request(connection)
            connection.sendall(self._answer)
            while self._again and not self._over.wait(self._pause):
                connection.sendall(self._again)
            if self._hang:
                self._over.wait(60)
            if self._reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _read_request(connection: socket.socket) -> None:
    """Read all of a request: what is left unread would have the answer thrown away."""
    with connection.makefile("rb") as stream:
        length = 0
        while (line := stream.readline()) not in {b"", b"\r\n"}:
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        stream.read(length)
