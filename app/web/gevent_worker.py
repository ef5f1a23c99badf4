"""gunicorn's gevent worker, with a limit on how long a client may take to send its request.

With gevent, a client that is slow or that sends half a request and waits takes up nothing but a greenlet; with threads,
sixteen such clients would keep all others waiting.
"""

from __future__ import annotations

import warnings
from typing import Any

from gevent.monkey import MonkeyPatchWarning
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from app.database.psycopg_internals import wait_cooperatively

BODY_SECONDS = 20.0
"""How long a pause in a request's body may be; its head has `keepalive` seconds in all."""


class PatientWorker(GeventWorker):
    """A worker that serves many slow clients at once, none of them for ever."""

    def patch(self) -> None:
        """Have the standard library wait without holding others up."""
        with warnings.catch_warnings():
            # ssl is there already, for urllib3, which this process sends nothing with
            warnings.simplefilter("ignore", MonkeyPatchWarning)
            super().patch()
        wait_cooperatively()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Handle a connection."""
        client.settimeout(BODY_SECONDS)
        AsyncWorker.handle(self, listener, client, addr)  # GeventWorker's own would take the limit away
