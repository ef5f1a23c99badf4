"""HTTP answers of the standard library's client, of which one that breaks off in its head is none.

`http.client` takes the end of a connection for the end of the head: of an answer that breaks off there it returns the
status, and a body that is empty.
"""

from __future__ import annotations

import http.client
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket


class WholeHeadResponse(http.client.HTTPResponse):
    """An answer whose every line is there: those of its head, the sizes of its chunks, and what follows the last one.

    Args:
        sock: The connection that it is read from.
    """

    fp: io.BufferedReader

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = _WholeLines(self.fp.detach())


class _WholeLines(io.BufferedReader):
    """Reads lines, each of which must be there, and end; but there may be no first one, and so no answer at all."""

    _has_begun = False

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return a line, or the beginning of one that is longer than `size`.

        Raises:
            http.client.IncompleteRead: The connection ended before.
        """
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size and (line or self._has_begun):
            raise http.client.IncompleteRead(line)
        self._has_begun = True
        return line
