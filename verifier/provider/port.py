"""The port that a provider is told to listen on, and who else may listen there.

Between the moment that a port is found free and the moment that the provider listens on it, another process can take
it. Nothing can be reserved for a command that binds the port itself. So the port is chosen where it is unlikely to be
taken, and `verifier.provider.process` notices if it was.
"""

from __future__ import annotations

import errno
import secrets
import socket
from contextlib import suppress
from pathlib import Path

LOWEST, HIGHEST = 20000, 29999
"""Below the ports that Linux (from 32768) and macOS (from 49152) hand out to whoever asks for any port."""
CONNECT_SECONDS = 1.0
LOOPBACK = ("127.0.0.1", "::1")
LISTEN = "0A"
"""The state of a socket that listens, in /proc/net/tcp."""


def free_port() -> int:
    """Return a random port on which nobody listens on this machine's loopback addresses."""
    while True:
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST + 1)
        if all(_is_free(host, port) for host in LOOPBACK):
            return port


def _is_free(host: str, port: int) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, port))
    except OSError as error:  # without IPv6, nobody else listens there either
        return error.errno not in {errno.EADDRINUSE, errno.EACCES}
    return True


def is_listened_on(port: int) -> bool:
    """Return whether a process listens on a port of this machine's loopback addresses."""
    for host in LOOPBACK:
        try:
            with socket.create_connection((host, port), timeout=CONNECT_SECONDS) as connection:
                # on loopback a connection to a port that the system hands out can meet itself
                if connection.getsockname() != connection.getpeername():
                    return True
        except (
            TimeoutError
        ):  # refused would be nobody: it accepts none on a busy machine, or a firewall drops them
            if listeners(port) != set():
                return True
        except OSError:
            continue
    return False


def listeners(port: int) -> set[int] | None:
    """Return the ids of the users whose processes listen on a port, or None where that can't be told (macOS)."""
    users = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with suppress(FileNotFoundError):
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                _, address, _, state, _, _, _, user, *_ = line.split()
                if state == LISTEN and int(address.rpartition(":")[2], 16) == port:
                    users.add(int(user))
    return users if Path("/proc/net/tcp").exists() else None
