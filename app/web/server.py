"""The processes of the web side: gunicorn, on a socket that is bound beforehand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import structlog
from gunicorn.app.base import BaseApplication

from app.config.values import secret
from app.config.variables import API_TOKENS, TOKENS, WEBHOOK_SECRET
from app.database.connections import open_pool
from app.intake.credentials import Tokens
from app.process.logs import configure
from app.process.open_files import allow_open_files
from app.web.application import create_app
from app.web.connection import KNOWN_CONNECTIONS, LIVE_PAGES, LIVE_SHARE, shares
from app.web.context import Receiver
from broker.http.listening import Announcement
from broker.text.log_lines import format_safely

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from app.config.settings import Settings

STOP_SECONDS = 10
OTHER_FILES = 100
"""The files that a web process has open beside its connections."""
FEWEST_OTHERS = 20
"""The connections beside the known ones that a process takes however low the limit of open files is."""

log = structlog.get_logger("web")


class Web(BaseApplication):
    """The web server, which runs until SIGTERM or SIGINT.

    Args:
        settings: The configuration.
        conninfo: The connection string of the database.
        listener: The socket that it listens on.
        environment: The environment, which has the tokens.
        log_level: The level of the log.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        conninfo: str,
        listener: socket.socket,
        environment: Mapping[str, str],
        log_level: str,
    ) -> None:
        self._log_level = log_level
        self._settings = settings
        self._conninfo = conninfo
        self._listener = listener
        self._environment = environment
        self._receiver: Receiver | None = None
        super().__init__()

    def load_config(self) -> None:
        """Configure gunicorn, so that neither a configuration file nor `GUNICORN_CMD_ARGS` counts."""
        announcement = Announcement("pact-dispatch listening on {url}", self._settings.server.processes)
        options: dict[str, Any] = {
            "bind": f"fd://{self._listener.detach()}",
            "workers": self._settings.server.processes,
            "worker_class": "app.web.gevent_worker.PatientWorker",
            "worker_connections": self._client_connections(),
            "timeout": 30,
            "graceful_timeout": STOP_SECONDS,
            "keepalive": 5,
            "limit_request_line": 8190,
            # less than a warning is what its processes do
            "loglevel": self._log_level if self._log_level in {"error", "critical"} else "warning",
            "errorlog": "-",
            "accesslog": None,
            "proc_name": "pact-dispatch web",
            "control_socket_disable": True,
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            **announcement.hooks(),
            "on_starting": _format_log,
            "worker_exit": self._close,
        }
        for name, value in options.items():
            if name in self.cfg.settings:  # control_socket_disable came with gunicorn 25
                self.cfg.set(name, value)

    def _client_connections(self) -> int:
        """Return the number of connections that each process serves, as far as it may open so many files."""
        server = self._settings.server
        files = server.connections + OTHER_FILES
        wanted = KNOWN_CONNECTIONS + server.anonymous_connections
        wanted += min(LIVE_PAGES, int(server.anonymous_connections * LIVE_SHARE / (1 - LIVE_SHARE)))
        allowed = max(allow_open_files(wanted + files) - files, KNOWN_CONNECTIONS + FEWEST_OTHERS)
        if allowed < wanted:
            log.warning(
                "fewer anonymous connections than configured: the limit of open files is too low (ulimit -n)",
                configured=server.anonymous_connections,
                allowed=shares(allowed)[0],
            )
        return min(allowed, wanted)

    def load(self) -> Any:  # gunicorn's stubs know no Flask
        """Make the application in the process that serves, since a pool doesn't survive a fork."""
        configure(self._log_level)
        pool = open_pool(self._conninfo, size=self._settings.server.connections)
        self._receiver = Receiver(
            settings=self._settings,
            pool=pool,
            tokens=Tokens(TOKENS, self._environment),
            api_tokens=Tokens(API_TOKENS, self._environment, for_api=True),
            webhook_secret=secret(WEBHOOK_SECRET, self._environment),
            live_pages=shares(self.cfg.worker_connections)[1],
        )
        return create_app(self._receiver)

    def _close(self, _arbiter: Any, _worker: Any) -> None:
        if self._receiver is not None:
            self._receiver.refusal_log.store_counts()
            self._receiver.pool.close()


def own_environment() -> dict[str, str]:
    """Return a copy of the environment."""
    return dict(os.environ)


def _format_log(arbiter: Any) -> None:
    """Have gunicorn, which writes what a client has sent as it came, write its log safely."""
    format_safely(arbiter.log.error_log, arbiter.log.access_log)
