"""The control sockets of the receiver's processes, by which a command on the same machine has them do something.

Each process listens on a Unix socket in the data directory. Only its own account, and root, get to it; and nobody can
have it do anything that the account could not do by a signal: what it reads is its own configuration.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import stat
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import structlog

from broker.http.reason import why as reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOLDER = "control-"
"""How the name of the folder of the sockets in the data directory begins; the id of their account follows."""
SUFFIX = ".sock"
LONGEST_PATH = 100
"""Bytes; the path of a socket may have 107 on Linux, and 103 elsewhere."""
LONGEST_LINE = 1024 * 1024
READ_SECONDS = 5.0
"""How long a client may take to send a request."""
STALE_SECONDS = 60.0
"""After so long a socket that nobody listens on is removed: one that was just made may not listen yet."""

log = structlog.get_logger("reload")


class NotAnswered(Exception):
    """A process has not answered, or not in time.

    Attributes:
        is_gone: Whether it is not there any more.
    """

    def __init__(self, why: str, *, is_gone: bool = False) -> None:
        super().__init__(why)
        self.is_gone = is_gone


class Closed(Exception):
    """The sockets of another account are closed to this one."""


class Control:
    """The control socket of this process.

    Args:
        data_dir: The data directory.
        kind: What the process is, and what it belongs to, in letters, digits and hyphens.
        answer: Called with each request; what it returns is the answer.
    """

    def __init__(self, data_dir: Path, kind: str, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        folder = data_dir / f"{FOLDER}{os.geteuid()}"
        self._path = folder / f"{kind}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self._answer = answer
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def open(self) -> None:
        """Listen, in a thread of its own, unless it was closed meanwhile.

        A process that can't is logged, and does all the rest.
        """
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            found = self._path.parent.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, f"{self._path.parent} belongs to another account")
            self._path.parent.chmod(0o700)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            with _short(self._path) as address:
                listener.bind(address)
            listener.listen(16)
        except OSError as error:
            log.warning(
                "`pact-dispatch reload` does not reach this process; SIGHUP does",
                error=reason_of(error),
            )
            return
        with self._lock:
            if self._is_closed:
                self._end(listener)
                return
            self._listener = listener
        threading.Thread(target=self._listen, args=(listener,), daemon=True, name="control").start()

    def close(self) -> None:
        """Listen no more, nor ever again."""
        with self._lock:
            self._is_closed = True
            listener, self._listener = self._listener, None
        if listener is not None:
            self._end(listener)

    def _end(self, listener: socket.socket) -> None:
        with suppress(OSError):
            self._path.unlink()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # ends the thread's waiting
        listener.close()

    def _listen(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                connection, _ = listener.accept()
            except OSError:
                if self._listener is listener:
                    time.sleep(1.0)  # no descriptor is free
                continue
            with connection:
                try:
                    self._serve(connection)
                except OSError as error:
                    log.info("a client of the control socket has gone", error=reason_of(error))
                except Exception:
                    log.exception("a request of the control socket failed")

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(READ_SECONDS)
        try:
            request = json.loads(_line(connection))
        except ValueError:
            answer: dict[str, Any] = {"error": "the request is no JSON"}
        else:
            answer = self._answer(request if isinstance(request, dict) else {})
        connection.sendall(json.dumps(answer).encode() + b"\n")


def control_sockets(data_dir: Path, kind: str = "") -> list[Path]:
    """Return the control sockets of a data directory, in the order of their names.

    Args:
        data_dir: The data directory.
        kind: How their names begin.

    Raises:
        Closed: Some are closed to this account.
    """
    found: list[Path] = []
    try:
        folders = sorted(one for one in os.listdir(data_dir) if one.startswith(FOLDER))  # noqa: PTH208 - names
    except FileNotFoundError:
        return []
    except PermissionError as error:
        raise Closed(
            f"{data_dir} is closed to this account: run it as that of the receiver, or as root"
        ) from error
    for name in folders:
        folder = data_dir / name
        try:
            found += sorted(one for one in folder.iterdir() if one.name.endswith(SUFFIX))
        except PermissionError as error:
            raise Closed(
                f"the processes belong to the account {_account(folder)}: run it as that account, or as root"
            ) from error
        except (FileNotFoundError, NotADirectoryError):
            continue
    return [one for one in found if one.name.startswith(kind)]


def ask(path: Path, request: dict[str, Any], *, seconds: float) -> dict[str, Any]:
    """Return the answer of a process.

    Args:
        path: Its control socket.
        request: JSON values.
        seconds: How long it may take.

    Raises:
        NotAnswered: There is none.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        try:
            with _short(path) as address:
                connection.connect(address)
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = _line(connection)
        except TimeoutError:
            raise NotAnswered(f"it has not answered within {seconds:g} s") from None
        except (ConnectionRefusedError, FileNotFoundError):
            _remove_stale(path)
            raise NotAnswered("it is not there any more", is_gone=True) from None
        except OSError as error:
            raise NotAnswered(reason_of(error)) from error
    if not line:
        raise NotAnswered("it has ended", is_gone=True)
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NotAnswered("it has answered something that nobody understands")
    return answer


def _line(connection: socket.socket) -> bytes:
    """Return what comes before the end of a line, or of the connection."""
    received = b""
    while b"\n" not in received and len(received) < LONGEST_LINE:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            break
        if not piece:
            break
        received += piece
    return received.partition(b"\n")[0]


def _remove_stale(path: Path) -> None:
    """Remove the socket of a process that was killed."""
    with suppress(OSError):
        if time.time() - path.lstat().st_mtime > STALE_SECONDS:
            path.unlink()


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a path of a socket that isn't too long for the system."""
    if len(os.fsencode(path)) <= LONGEST_PATH or sys.platform != "linux":
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


def _account(folder: Path) -> str:
    import pwd  # noqa: PLC0415 - for the message alone

    try:
        return pwd.getpwuid(folder.lstat().st_uid).pw_name
    except (KeyError, OSError):
        return folder.name.removeprefix(FOLDER)
