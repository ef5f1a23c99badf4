"""A socket that listens, bound before anything else is done: a port that is taken leaves nothing behind."""

from __future__ import annotations

import socket
from contextlib import ExitStack


class CannotListen(Exception):
    """The address is taken, or not ours; the message says what to do."""


def bind(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        CannotListen: it is taken, or not ours; the message says what to do.
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
            f"Cannot listen on {host}:{port}: {error.strerror or error}. "
            "Choose another address with --bind HOST:PORT; port 0 takes a free one."
        ) from error
    return listener
