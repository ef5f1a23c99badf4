"""A process that takes part in reloads: it listens for them, and notes in the database which configuration it has."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import structlog

from app.database.storable import storable_text
from app.records import processes
from app.records.processes import NOTE_SECONDS, ProcessState
from app.reload.control import Control

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg_pool import ConnectionPool

    from app.records.processes import Kind
    from app.reload.reloader import Reloader

log = structlog.get_logger("reload")


class Participant:
    """This process as one of those that are reloaded.

    Args:
        kind: What it does.
        reloader: Takes its configuration anew.
        data_dir: The data directory.
        pool: The pool of connections to the database.
        group: What the name of its control socket has after its kind, to find those that belong together.
    """

    def __init__(
        self,
        kind: Kind,
        reloader: Reloader[Any],
        *,
        data_dir: Path,
        pool: ConnectionPool[Any],
        group: str = "",
    ) -> None:
        self._kind = kind
        self._reloader = reloader
        self._pool = pool
        self._id = uuid4()
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._control = Control(data_dir, f"{kind}{group}", reloader.answer)
        self._stopping = threading.Event()
        self._noting = threading.Lock()
        self._changed = threading.Event()
        reloader.on_change = self._changed.set

    def start(self) -> None:
        """Listen for reloads, in threads of its own; take what has changed while the process was starting."""
        threading.Thread(target=self._take_part, daemon=True, name="reloads").start()

    def stop(self) -> None:
        """Take part no more; whatever the threads are doing, nothing listens and nothing is noted after this.

        The threads are not waited for: what they do may need the event loop that this is called in.
        """
        self._stopping.set()
        self._changed.set()
        self._control.close()
        with self._noting, suppress(psycopg.Error), self._pool.connection() as connection:
            processes.forget(connection, self._id)

    def _take_part(self) -> None:
        self._control.open()
        self._reloader.catch_up()
        while True:
            self._changed.clear()
            with self._noting:
                if self._stopping.is_set():
                    return
                self._note()
            self._changed.wait(NOTE_SECONDS)

    def _note(self) -> None:
        configured = self._reloader.configured
        state = ProcessState(
            self._kind,
            self._name,
            version("pact-dispatch"),
            configured.digest,
            seconds=time.monotonic() - configured.at,
            restart=configured.restart,
            refused=None if configured.refused is None else storable_text(configured.refused),
        )
        try:
            with self._pool.connection() as connection:
                processes.note(connection, self._id, state)
        except psycopg.Error as error:
            log.warning("which configuration it has is not stored", error=type(error).__name__)
