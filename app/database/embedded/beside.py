"""A second cluster beside an embedded one, which may take its place.

Nothing of the database that is in use changes before the new one is complete: it is made in a folder of its own, and
put in place by renaming. A process that is killed on the way leaves that folder behind, or one that has its final name;
whoever starts the server next, with `start.lock`, removes the one, and puts the other in its place.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from app.database.embedded.account import AccountUnusable, server_account
from app.database.embedded.binaries import MAJOR, find_binaries
from app.database.embedded.cluster import Cluster
from app.database.embedded.unusable import PostgresUnusable, explained
from app.process.locks import Busy, locked
from app.process.signals import stop_no_more
from broker.http.reason import why

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "beside-"
NEXT = "next-data"
"""The data that are complete, and are to replace those in `DATA_FOLDER`."""
KEPT = "data-before-"
"""How the names of folders begin that have the data that were replaced, followed by the time."""
MOVED = "MOVED"
"""A file that says where the data were moved to: the embedded database isn't to be used any more."""
WAIT_SECONDS = 5.0
LOADING = {"wal_level": "minimal", "max_wal_size": "2GB", "autovacuum": "off"}
"""Settings of a server that is filled, and that nobody else uses: it writes each row once."""


class InUse(PostgresUnusable):
    """Another process uses the database, which has to be stopped first."""


@contextmanager
def reserved(folder: Path) -> Iterator[Cluster]:
    """Keep an embedded database to this process, with its server stopped; nobody starts it meanwhile.

    Args:
        folder: The folder of the embedded database; it is made if it doesn't exist.

    Yields:
        Its cluster, which has data only if there were any.

    Raises:
        InUse: Another process uses it.
        PostgresUnusable: It can't be used.
    """
    folder = folder.resolve()
    try:
        cluster = Cluster(folder, find_binaries(), server_account(folder))
        cluster.prepare()
        with _kept_to_this_process(folder):
            cluster.stop()
            finish_replacement(cluster)
            sweep(cluster)
            yield cluster
    except AccountUnusable as error:
        raise PostgresUnusable(str(error)) from error
    except OSError as error:
        raise PostgresUnusable(explained(folder, f"{why(error)}: {error.filename or folder}")) from error


@contextmanager
def _kept_to_this_process(folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder / "start.lock", wait=WAIT_SECONDS))
        except Busy as error:
            raise InUse(
                f"another process starts, stops, restores or upgrades the PostgreSQL in {folder}: wait for its end"
            ) from error
        try:
            stack.enter_context(locked(folder / "users.lock"))
        except Busy as error:
            raise InUse(
                f"a pact-dispatch process uses the PostgreSQL in {folder}: stop the receiver first (serve, web and "
                "worker; systemctl stop pact-dispatch)"
            ) from error
        yield


@contextmanager
def served(cluster: Cluster) -> Iterator[str]:
    """Run the server of a cluster that is kept to this process.

    Yields:
        A URL for psycopg.

    Raises:
        PostgresUnusable: It can't be started.
    """
    try:
        yield cluster.reach()
    except BaseException:
        # with a full disk, a server tries for long to leave its data in order
        cluster.stop(at_once=cluster.folder.name.startswith(PREFIX))
        raise
    cluster.stop()


@contextmanager
def beside(cluster: Cluster, settings: Mapping[str, str] = LOADING) -> Iterator[Cluster]:
    """Make a place for another cluster beside one that is kept to this process; it is removed at the end.

    Args:
        cluster: The cluster.
        settings: Those of the other one's server.

    Yields:
        A cluster of the version that is installed, which has no data yet.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=cluster.folder))
    other = replace(cluster, folder=folder, binaries=find_binaries(), major=MAJOR, settings=settings)
    try:
        other.prepare()
        yield other
    finally:
        _remove(other)


def put_in_place(cluster: Cluster, other: Cluster, *, keeps: bool) -> Path | None:
    """Put the data of a stopped cluster in the place of another stopped one's; no signal to stop interrupts that.

    Args:
        cluster: The cluster whose data are replaced.
        other: The one beside it.
        keeps: Whether the data that are replaced are kept under another name.

    Returns:
        Where the data are that were replaced; None if they are not kept, or there were none.

    Raises:
        PostgresUnusable: A server can't be stopped.
    """
    for each in (cluster, other):
        each.stop()
        if each.is_alive():
            raise PostgresUnusable(
                f"the PostgreSQL in {each.folder} can't be stopped, so nothing was changed"
            )
    before = set(kept(cluster.folder))
    stop_no_more()  # from here on the next process would put them in place
    other.data.rename(cluster.folder / NEXT)
    _sync(cluster.folder)
    finish_replacement(cluster)
    new = set(kept(cluster.folder)) - before
    if not new:
        return None
    [old] = new
    if not keeps:
        shutil.rmtree(old)
        return None
    return old


def finish_replacement(cluster: Cluster) -> None:
    """Put the data that are complete in their place, if a process was killed before it did."""
    following = cluster.folder / NEXT
    if not following.exists():
        return
    if cluster.data.exists():
        cluster.stop()
        cluster.data.rename(_unused(cluster.folder))
    following.rename(cluster.data)
    _sync(cluster.folder)


def sweep(cluster: Cluster) -> None:
    """Remove what a process has left beside a cluster that was killed."""
    for folder in cluster.folder.glob(f"{PREFIX}*"):
        _remove(replace(cluster, folder=folder))


def mark_moved(folder: Path, text: str) -> None:
    """Have an embedded database not used any more.

    The folder belongs to the server's account, and this process may be root's: the file is a new one, and no link's.

    Args:
        folder: The folder of the embedded database.
        text: Where its data were moved to.
    """
    marker = folder / MOVED
    marker.unlink(missing_ok=True)
    with marker.open("x", encoding="utf-8") as file:
        file.write(text)


def kept(folder: Path) -> list[Path]:
    """Return the folders of data that were replaced, the oldest first."""
    return sorted(folder.glob(f"{KEPT}*"))


def _unused(folder: Path) -> Path:
    name = f"{KEPT}{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    numbers = ("", *(f".{number}" for number in range(2, 100)))
    return next(path for number in numbers if not (path := folder / f"{name}{number}").exists())


def _remove(cluster: Cluster) -> None:
    cluster.stop(at_once=True)
    shutil.rmtree(cluster.folder, ignore_errors=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
