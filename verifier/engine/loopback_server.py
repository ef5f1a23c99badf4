"""A server on loopback whose only client is the core, with a connection for every request.

The standard library's servers look 50 times a second whether they are to stop, so that a job whose interactions take a
few milliseconds waits 20 ms for the end of each, and they take three times as long for a connection.
"""

from __future__ import annotations

import select
import socket
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    Answer = Callable[[BinaryIO], bytes | None]


class LoopbackServer:
    """Answers one request after the other, in a thread of its own, until it is closed.

    Args:
        name: The name of the thread.
        answer: Reads a request from the connection, and returns the answer; None if there is none.

    Attributes:
        port: Its port.
    """

    def __init__(self, name: str, answer: Answer) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._waker, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True, name=name)
        self._thread.start()

    def close(self) -> None:
        """Stop serving, once a request that is being answered is."""
        self._waker.close()
        self._thread.join()

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        woken = self._woken.fileno()
        with self._listener, self._woken:
            while woken not in dict(poll.poll()):
                self._serve_one()

    def _serve_one(self) -> None:
        try:
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rb") as request:
                if answer := self._answer(request):
                    connection.sendall(answer)
        except OSError:  # the core has given up
            pass
        except Exception:  # noqa: BLE001 - what is wrong with one request must not end the server
            sys.excepthook(*sys.exc_info())
