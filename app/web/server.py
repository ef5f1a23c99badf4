"""The processes of the web side: gunicorn, on a socket that is bound beforehand."""

from __future__ import annotations

import gc
import os
import secrets
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import gevent
import structlog
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from app.config.file import load
from app.config.sources import read_sources
from app.config.values import ConfigurationError, secret
from app.config.variables import API_TOKENS, TOKENS, WEBHOOK_SECRET
from app.database.connections import open_pool
from app.intake.credentials import Tokens
from app.process.hangup import Terminal
from app.process.logs import configure
from app.process.open_files import allow_open_files
from app.records.processes import Kind
from app.reload.coordination import reload_and_log
from app.reload.last_taken import LastTaken
from app.reload.participant import Participant
from app.reload.reloader import Configured, ReadConfiguration, Reloader
from app.reload.restarts import after_reload
from app.web.application import create_app
from app.web.connection import KNOWN_CONNECTIONS, LIVE_PAGES, LIVE_SHARE, shares
from app.web.context import Receiver
from broker.http.listening import Announcement
from broker.otlp.setup import begin_traces, end_traces
from broker.text.log_lines import format_safely

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from flask import Flask
    from psycopg_pool import ConnectionPool

    from app.config.settings import Settings

T = TypeVar("T")

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
        file: The file that it comes from.
        data_dir: The data directory.
        conninfo: The connection string of the database.
        database: Which one that is, in words without its password.
        listener: The socket that it listens on.
        environment: The environment, which has the tokens.
        log_level: The level of the log.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        file: Path,
        data_dir: Path,
        conninfo: str,
        database: str,
        listener: socket.socket,
        environment: Mapping[str, str],
        log_level: str,
    ) -> None:
        self._log_level = log_level
        self._settings = settings
        self._file = file
        self._data_dir = data_dir
        self._group = f"-{secrets.token_hex(4)}"
        self._terminal = Terminal()
        self._last_taken = LastTaken()
        self._conninfo = conninfo
        self._database = database
        self._listener = listener
        self._environment = environment
        self._receiver: Receiver | None = None
        self._participant: Participant | None = None
        super().__init__()

    def run(self) -> None:
        """Serve until a signal stops it.

        gunicorn's own answer to SIGHUP would start other processes, and end the connections of those that serve.
        """
        PatientArbiter(self).run()

    def hang_up(self, arbiter: Any) -> None:
        """Have one of the processes reload the configuration of all of them, or stop where the terminal is gone."""
        if self._terminal.is_gone:
            arbiter.handle_term()
        elif arbiter.WORKERS:  # else those that start read it
            with suppress(ProcessLookupError):
                os.kill(min(arbiter.WORKERS), signal.SIGHUP)

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
        # here, where gevent has replaced locks and threads: those of before would stop the process
        begin_traces(os.environ, part="web", notice=log.warning)
        pool = open_pool(self._conninfo, size=self._settings.server.connections)
        last = self._last_taken.read()
        settings = self._settings if last is None else last[0]
        self._receiver = Receiver(
            settings=settings,
            pool=pool,
            tokens=Tokens(TOKENS, self._environment),
            api_tokens=Tokens(API_TOKENS, self._environment, for_api=True),
            webhook_secret=secret(WEBHOOK_SECRET, self._environment),
            live_pages=shares(self.cfg.worker_connections)[1],
            database=self._database,
        )
        app = create_app(self._receiver)
        app.extensions["hang_up"] = partial(reload_and_log, self._data_dir, f"{Kind.WEB}{self._group}")
        self._take_part(app, pool)
        gc.freeze()  # what lives as long as the process is looked through neither now and then nor at its end
        return app

    def _take_part(self, app: Flask, pool: ConnectionPool[Any]) -> None:
        """Take part in reloads; begin with what the other processes have, if this one stands for one that has ended."""

        def take(configuration: tuple[Settings, str | None]) -> None:
            app.extensions["receiver"] = app.extensions["receiver"].with_configuration(*configuration)

        reloader = Reloader(
            f"web {os.getpid()}",
            self._file,
            self._settings.digest,
            read=lambda: _in_a_thread(partial(self._read, app.extensions["receiver"].settings)),
            take=take,
            latest=self._latest,
        )
        if (last := self._last_taken.read()) is not None:
            reloader.configured = Configured(last[1], last[2])
        reloader.on_take = lambda: self._last_taken.note(
            app.extensions["receiver"].settings, reloader.configured
        )
        reloader.catch_up()
        self._participant = Participant(
            Kind.WEB, reloader, data_dir=self._data_dir, pool=pool, group=self._group
        )
        self._participant.start()

    def _latest(self) -> str | None:
        """Return the digest of what the processes have taken; that of the files if none has taken anything yet."""
        last = self._last_taken.read()
        return read_sources(self._file).digest if last is None else last[1]

    def _read(self, running: Settings) -> ReadConfiguration[tuple[Settings, str | None]]:
        """Read the configuration anew.

        Args:
            running: The settings that the process has.

        Raises:
            ConfigurationError: Something can't be used; every mistake is named.
        """
        mistakes: list[str] = []

        def read(what: Callable[[], T]) -> T | None:
            try:
                return what()
            except ConfigurationError as error:
                mistakes.extend(error.mistakes)
                return None

        found = read(lambda: load(self._file, None))
        read(lambda: Tokens(TOKENS, self._environment))
        read(lambda: Tokens(API_TOKENS, self._environment, for_api=True))
        webhook_secret = read(lambda: secret(WEBHOOK_SECRET, self._environment))
        if found is None or mistakes:
            raise ConfigurationError(*mistakes)
        settings, restart = after_reload(running, found)
        return ReadConfiguration((settings, webhook_secret), settings.digest, tuple(restart))

    def _close(self, _arbiter: Any, _worker: Any) -> None:
        if self._participant is not None:
            self._participant.stop()
        if self._receiver is not None:
            self._receiver.close()
        end_traces()


def _in_a_thread(read: Callable[[], T]) -> T:
    """Call a function that takes a while; the requests that come meanwhile are served.

    Raises:
        ConfigurationError: The function has raised it; gevent would print whatever leaves its thread.
    """

    def call() -> T | ConfigurationError:
        try:
            return read()
        except ConfigurationError as error:
            return error

    found: T | ConfigurationError = gevent.get_hub().threadpool.apply(call)
    if isinstance(found, ConfigurationError):
        raise found
    return found


class PatientArbiter(Arbiter):
    """The process that starts the others: at SIGHUP it has them take another configuration, and starts none anew."""

    def handle_hup(self) -> None:
        """Reload the configuration."""
        app: Any = self.app
        app.hang_up(self)


def own_environment() -> dict[str, str]:
    """Return a copy of the environment."""
    return dict(os.environ)


def _format_log(arbiter: Any) -> None:
    """Have gunicorn, which writes what a client has sent as it came, write its log safely."""
    format_safely(arbiter.log.error_log, arbiter.log.access_log)
