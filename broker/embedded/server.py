"""The embedded broker as a process: gunicorn with one worker, on a socket bound beforehand."""

from __future__ import annotations

import gc
import ipaddress
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

from broker.embedded.accounts import Access
from broker.embedded.application import create_app
from broker.embedded.deliveries import threads
from broker.embedded.storage.database import Database, DatabaseUnusable
from broker.embedded.storage.encryption import KEY_VARIABLE, KeyUnusable, Vault
from broker.embedded.webhooks.records import check_key
from broker.embedded.webhooks.settings import WebhookSettings
from broker.http.browsers import ServedHosts, host_name_of
from broker.http.listening import Announcement, CannotListen, bind
from broker.text.log_lines import format_safely

if TYPE_CHECKING:
    import socket
    from pathlib import Path

THREADS = 8

STOP_SECONDS = 0.5
"""The time that the stop waits for current deliveries; one that is cut off is made again at the next start."""


class CannotStart(Exception):
    """The address is taken or not ours, or the database can't be used; the message names it."""


@dataclass(frozen=True)
class Settings:
    """The settings of the broker's process."""

    host: str
    port: int
    database: Path
    base_url: str | None
    log_level: str
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    accounts: Access = field(default_factory=Access, repr=False)
    allowed_hosts: tuple[str, ...] = ()

    def served_hosts(self, address: str) -> ServedHosts:
        """Return the host names that the broker is reached by, when it listens on an address."""
        own = [host_name_of(self.base_url)] if self.base_url else []
        loopback = ipaddress.ip_address(address.partition("%")[0]).is_loopback
        return ServedHosts(frozenset([*own, *self.allowed_hosts]), loopback=loopback)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then leave by SystemExit(0).

    Raises:
        CannotStart: Nothing was started.
    """
    # first, so that a port that is taken leaves no file behind
    try:
        listener = bind(settings.host, settings.port)
    except CannotListen as error:
        raise CannotStart(str(error)) from error
    database = Database(settings.database, connections=THREADS + threads.THREADS)
    vault = Vault(os.environ.get(KEY_VARIABLE), settings.database.with_name(f"{settings.database.name}.key"))
    try:
        database.prepare()
        check_key(database, vault)
    except (DatabaseUnusable, KeyUnusable) as error:
        listener.close()
        raise CannotStart(str(error)) from error
    _Server(settings, database, vault, listener).run()


class _Server(BaseApplication):
    def __init__(self, settings: Settings, database: Database, vault: Vault, listener: socket.socket) -> None:
        self._settings = settings
        self._database = database
        self._vault = vault
        self._deliveries: threads.Deliveries | None = None
        self._listener = listener
        self._hosts = settings.served_hosts(listener.getsockname()[0])
        super().__init__()

    def load_config(self) -> None:
        verbose = self._settings.log_level in {"debug", "info"}
        announcement = Announcement(
            f"Pact Broker (embedded, for development) listening on {{url}}, database {self._settings.database}",
            processes=1,
        )
        options: dict[str, Any] = {
            "bind": f"fd://{self._listener.detach()}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "timeout": 0,  # the worker's threads are its own business
            "graceful_timeout": 5,
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
            **announcement.hooks(),
            "on_starting": _format_log,
            "worker_exit": self._close,
        }
        for name, value in options.items():
            if name in self.cfg.settings:  # control_socket_disable came with gunicorn 25
                self.cfg.set(name, value)

    def load(self) -> Any:  # gunicorn's stubs know no Flask
        settings = self._settings
        app = create_app(
            self._database,
            vault=self._vault,
            base_url=settings.base_url,
            webhooks_as=settings.webhooks,
            accounts=settings.accounts,
            hosts=self._hosts,
        )
        # This runs in the worker, which alone may open the database and have threads.
        self._deliveries = threads.Deliveries(self._database, self._vault, settings.webhooks)
        app.on_triggered = self._deliveries.wake
        self._deliveries.start()
        # Long-lived objects needn't be traversed at each collection: a list of thousands causes several.
        gc.freeze()
        return app

    def _close(self, _arbiter: Any, _worker: Any) -> None:
        if self._deliveries is not None:
            self._deliveries.stop(STOP_SECONDS)
        self._database.close()


def _format_log(arbiter: Any) -> None:
    """Have gunicorn, which writes what a client has sent as it came, write its log safely."""
    format_safely(arbiter.log.error_log, arbiter.log.access_log)
