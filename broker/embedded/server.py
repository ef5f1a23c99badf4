"""The embedded broker as a process: gunicorn with one worker, on a socket bound beforehand."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

from broker.embedded import create_app
from broker.embedded.database import Database, DatabaseUnusableError

if TYPE_CHECKING:
    from pathlib import Path

THREADS = 8


class CannotStartError(Exception):
    """The address is taken or not ours, or the database can't be used; the message says which."""


@dataclass(frozen=True)
class Settings:
    """How the broker was asked to run."""

    host: str
    port: int
    database: Path
    base_url: str | None
    log_level: str


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then leave by SystemExit(0).

    Raises:
        CannotStartError: nothing was started.
    """
    database = Database(settings.database, connections=THREADS)
    try:
        database.prepare()
    except DatabaseUnusableError as error:
        raise CannotStartError(str(error)) from error
    _Server(settings, database, _bind(settings.host, settings.port)).run()


def _bind(host: str, port: int) -> socket.socket:
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
        raise CannotStartError(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from error
    return listener


class _Server(BaseApplication):
    def __init__(self, settings: Settings, database: Database, listener: socket.socket) -> None:
        self._settings = settings
        self._database = database
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        verbose = self._settings.log_level in {"debug", "info"}
        options: dict[str, Any] = {
            "bind": f"fd://{self._listener.detach()}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "timeout": 0,  # the worker's threads are its own business
            "graceful_timeout": 1,
            "keepalive": 0,  # an idle connection would hold up the stop
            "limit_request_line": 8190,  # names are long when percent-encoded
            "loglevel": self._settings.log_level,
            "errorlog": "-",
            "accesslog": "-" if verbose else None,
            "proc_name": "pact-dispatch broker",
            "control_socket_disable": True,
            # Nothing that a client sends changes the scheme, the host or the path of links.
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "when_ready": self._announce,
            "worker_exit": self._close,
        }
        for name, value in options.items():
            if name in self.cfg.settings:  # control_socket_disable came with gunicorn 25
                self.cfg.set(name, value)

    def load(self) -> Any:  # gunicorn's stubs know no Flask
        return create_app(self._database, base_url=self._settings.base_url)

    def _announce(self, arbiter: Any) -> None:
        host, port = arbiter.LISTENERS[0].getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        sys.stdout.write(
            f"Pact Broker (embedded, for development) listening on http://{host}:{port}, "
            f"database {self._settings.database}\n"
        )
        sys.stdout.flush()

    def _close(self, _arbiter: Any, _worker: Any) -> None:
        self._database.close()
