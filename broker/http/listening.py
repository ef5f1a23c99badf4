"""A socket that is bound before anything else is done, and an announcement when requests to it are answered."""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import ExitStack
from typing import Any

from broker.http.reason import why
from broker.text.harmless import one_line


class CannotListen(Exception):
    """The address is taken, or not ours; the message says what to do."""


def bind(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        CannotListen: It is taken, or not ours; the message says what to do.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with ExitStack() as on_error:
            listener = on_error.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
            on_error.pop_all()
    except OSError as error:
        raise CannotListen(
            f"Cannot listen on {host}:{port}: {why(error)}. "
            "Choose another address with --bind HOST:PORT; port 0 takes a free one."
        ) from error
    return listener


class Announcement:
    """Prints the address that gunicorn listens on, as soon as all of its worker processes are up.

    Before that, a worker process could miss a signal to stop: gunicorn sends it once.

    Args:
        text: The text to print, with `{url}` for the address.
        processes: The number of worker processes.
    """

    def __init__(self, text: str, processes: int) -> None:
        self._text = text
        self._processes = processes
        self._reader, self._writer = os.pipe()

    def hooks(self) -> dict[str, Any]:
        """Return the gunicorn hooks that it needs."""
        return {"when_ready": self._wait, "post_worker_init": self._tell}

    def _wait(self, arbiter: Any) -> None:
        host, port = arbiter.LISTENERS[0].getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

        def announce() -> None:
            for _ in range(self._processes):
                os.read(self._reader, 1)
            sys.stdout.write(one_line(self._text.replace("{url}", url)) + "\n")
            sys.stdout.flush()

        threading.Thread(target=announce, daemon=True, name="announce").start()

    def _tell(self, _worker: Any) -> None:
        os.write(self._writer, b".")
