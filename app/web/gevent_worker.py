"""gunicorn's gevent worker, with deadlines for its clients and a bound on those that nobody knows.

With gevent, a client that is slow or that sends half a request and waits takes up nothing but a greenlet; with threads,
sixteen such clients would keep all others waiting.
"""

from __future__ import annotations

import signal
import time
import warnings
from contextlib import nullcontext
from functools import partial
from typing import Any

import gevent
import gunicorn.util
from gevent.event import Event
from gevent.monkey import MonkeyPatchWarning
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.http.errors import ParseException
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from app.database.psycopg_internals import wait_cooperatively
from app.web.connection import AnonymousConnections, Connection, shares
from app.web.plain_answer import plain_answer
from broker.http.replaced_ssl import use_replaced_ssl

MOST_IGNORED_BYTES = 1024 * 1024
"""As much of a body that nobody reads is received and ignored, so that its sender reads the answer; then the connection
is closed."""
NOTE_SECONDS = 1.0
"""How often gunicorn's arbiter is told that the process lives."""


class PatientWorker(GeventWorker):
    """A worker that serves many slow clients at once, none of them for ever, and known ones before others."""

    def patch(self) -> None:
        """Have the standard library wait without holding others up, and gunicorn's own answers have our headers."""
        with warnings.catch_warnings():
            # ssl is there already, for urllib3, which gets the new one
            warnings.simplefilter("ignore", MonkeyPatchWarning)
            super().patch()
        use_replaced_ssl()
        wait_cooperatively()
        gunicorn.util.write_error = _write_error
        self._anonymous = AnonymousConnections(shares(self.worker_connections)[0])
        self._stopping = Event()

    def run(self) -> None:
        """Serve until the process is to stop, and then what was asked for before, within the graceful timeout.

        gunicorn's own looks once in a second whether it is to stop, and then whether it has served all.
        """
        pool = Pool(self.worker_connections)
        servers = []
        for listener in self.sockets:
            listener.setblocking(True)
            server = StreamServer(listener, handle=partial(self.handle, listener), spawn=pool)
            if self.cfg.workers > 1:
                server.max_accept = 1
            server.start()
            servers.append(server)
        while self.alive:
            self.notify()
            self._stopping.wait(NOTE_SECONDS)
        for server in servers:
            server.close()
        end = time.monotonic() + self.cfg.graceful_timeout
        while not pool.join(NOTE_SECONDS) and time.monotonic() < end:
            self.notify()
        if len(pool):
            self.log.warning("Worker graceful timeout (pid:%s)", self.pid)
        pool.kill(timeout=NOTE_SECONDS)

    def init_signals(self) -> None:
        """Have SIGHUP reload the configuration; the arbiter sends it to one of its processes."""
        super().init_signals()
        signal.signal(signal.SIGHUP, self._handle_hang_up)

    def _handle_hang_up(self, _sig: int, _frame: Any) -> None:
        extensions = getattr(self.wsgi, "extensions", None)  # none before the application is loaded
        if extensions is not None:
            gevent.spawn(extensions["hang_up"])

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop; end what would go on without an end, or for seconds, though nobody has asked for anything."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._end_waiting)

    def _end_waiting(self) -> None:
        """End the events of open pages, and the connections that wait for another request."""
        self._stopping.set()
        self._anonymous.end_idle()
        extensions = getattr(self.wsgi, "extensions", None)  # none before the application is loaded
        if extensions is not None:
            extensions["receiver"].live.close()

    def timeout_ctx(self) -> Any:
        """Return no limit on the time for the next request: the connection has one."""
        return nullcontext()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Handle a connection."""
        connection: Any = Connection(client, addr[0], self._anonymous)
        try:
            AsyncWorker.handle(
                self, listener, connection, addr
            )  # GeventWorker's own would take the limit away
        finally:
            connection.end()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:
        """Handle a request, and what is left of its body.

        Raises:
            StopIteration: The connection is to be closed.
        """
        sock.expect_body(req)
        try:
            super().handle_request(listener_name, req, sock, addr)
        except StopIteration:
            _ignore_rest(req.body)
            raise
        if not _ignore_rest(req.body) or not self.alive:
            raise StopIteration
        sock.expect_request()
        return True


def _ignore_rest(body: Any) -> bool:
    """Receive what is left of a body, and return whether that was all of it."""
    left = MOST_IGNORED_BYTES
    try:
        while left > 0:
            ignored = len(body.read(min(left, 8192)))
            if not ignored:
                return True
            left -= ignored
    except (OSError, ParseException):
        pass
    return False


def _write_error(sock: Any, status_int: int, reason: str, mesg: str) -> None:
    """Answer a request that gunicorn can't read, or that has failed outside the application."""
    sock.sendall(plain_answer(status_int, reason, mesg))
