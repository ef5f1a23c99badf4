"""Dumps of a receiver's database, in the custom format of `pg_dump`: written, and read back."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import signal
import stat
import subprocess
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.database.database_url import DatabaseUnusable
from app.database.embedded.unusable import is_full
from app.database.transfer.contents import connected, read_contents
from broker.http.reason import why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection

    from app.database.embedded.cluster import Cluster
    from app.database.transfer.contents import Contents

LOCK_MILLISECONDS = 60_000
"""How long to wait for a migration that is under way."""
POLL_SECONDS = 0.3
MAGIC = b"PGDMP"
"""How a dump in the custom format begins."""
TRAILER = b"\npact-dispatch dump sha256 "
"""What stands behind a dump in a file, followed by the checksum of all before it: the format has none of its own."""
PARTIAL = ".partial"
"""How the name of a dump ends that is not complete."""
ANOTHER = "copy it again from where it was made, or take another one"
CHECK_SECONDS = 60
CHECKED_BYTES = 1_000_000
"""The bytes of a dump that are read in a second, at least: of a damaged one, `pg_restore` may read on without end."""


class DumpUnusable(DatabaseUnusable):
    """A file is no dump, or not a whole one, or can't be written; the message says why."""


def write_dump(
    cluster: Cluster, conninfo: str, descriptor: int, tell: Callable[[str], None] = lambda _: None
) -> Contents:
    """Write what is in an embedded database at one moment, while it is used.

    Args:
        cluster: The cluster, whose server runs.
        conninfo: The database; it has no password.
        descriptor: Where to write.
        tell: Is told how much is written.

    Returns:
        What is in the dump.

    Raises:
        DumpUnusable: It can't be written.
        DatabaseUnusable: The database refuses.
    """
    with connected(conninfo) as connection, connection.transaction():
        contents, snapshot = _begin(connection)
        with _growth(descriptor, tell):
            done = cluster.run(
                "pg_dump",
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                f"--lock-wait-timeout={LOCK_MILLISECONDS}",
                f"--snapshot={snapshot}",
                f"--dbname={conninfo}",
                stdout=descriptor,
            )
    if done.returncode == -signal.SIGPIPE:
        raise DumpUnusable(
            "the dump is not whole: what reads it has ended, or closed the pipe, before its end"
        )
    if done.returncode != 0:
        raise DumpUnusable(f"the dump can't be written: {reason_of(done)}")
    return contents


@contextmanager
def new_file(path: Path) -> Iterator[int]:
    """Write a file that has its name, and replaces another one, only when it is complete; nobody else can read it.

    What a process that was killed has left of such a file is removed first.

    Yields:
        Its descriptor.

    Raises:
        DumpUnusable: It can't be written.
    """
    if path.exists() and not path.is_file():
        raise DumpUnusable(f"{path} is no file: name one, or - for standard output")
    prefix = f".{path.name[:100]}."
    try:
        _remove_partial(path.parent, prefix)
        descriptor, partial = _partial_file(path.parent, prefix)
    except OSError as error:
        raise DumpUnusable(f"{path} can't be written: {why(error)}") from error
    try:
        yield descriptor
        os.fsync(descriptor)
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DumpUnusable(f"{path} can't be written: {why(error)}") from error
    finally:
        partial.unlink(missing_ok=True)
        os.close(descriptor)


def _partial_file(folder: Path, prefix: str) -> tuple[int, Path]:
    """Make a file that is locked for as long as it is written, by whatever process has its descriptor."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=PARTIAL, dir=folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)  # another dump takes it for one that was left, and removes it
            continue
        except OSError:
            return descriptor, Path(name)  # the file system has no locks, so nobody removes it
        if os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)  # removed before it was locked


def _remove_partial(folder: Path, prefix: str) -> None:
    """Remove what is left of files of this user that nobody writes any more."""
    name = re.compile(rf"{re.escape(prefix)}[a-z0-9_]{{8}}{re.escape(PARTIAL)}")
    for file in [one for one in folder.iterdir() if name.fullmatch(one.name)]:
        with suppress(OSError):  # it is locked, another user's, or gone
            descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                found = os.fstat(descriptor)
                if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    file.unlink()
            finally:
                os.close(descriptor)


def seal_dump(descriptor: int) -> int:
    """Add the checksum of a dump behind its end, where `pg_restore` doesn't look, and return the size of the file."""
    size = os.fstat(descriptor).st_size
    trailer = TRAILER + _checksum(descriptor, size).encode() + b"\n"
    os.lseek(descriptor, 0, os.SEEK_END)
    os.write(descriptor, trailer)
    return size + len(trailer)


def check_dump(cluster: Cluster, descriptor: int) -> None:
    """Read a whole dump, without doing what it says; one that comes through a pipe can't be read twice.

    Raises:
        DumpUnusable: It was changed since it was written, or can't be read to its end.
    """
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        return
    length = len(TRAILER) + 65
    sealed = max(0, found.st_size - length)
    trailer = os.pread(descriptor, length, sealed)
    if trailer.startswith(TRAILER) and trailer[len(TRAILER) : -1].decode("latin-1") != _checksum(
        descriptor, sealed
    ):
        raise DumpUnusable(
            f"the dump was damaged or changed since it was written: its checksum is another one; {ANOTHER}"
        )
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        done = cluster.run(
            "pg_restore",
            "--file=/dev/null",
            stdin=descriptor,
            seconds=CHECK_SECONDS + found.st_size / CHECKED_BYTES,
        )
    except subprocess.TimeoutExpired as error:
        raise DumpUnusable(
            f"the dump can't be read: it is damaged, and pg_restore finds no end of it; {ANOTHER}"
        ) from error
    os.lseek(descriptor, 0, os.SEEK_SET)
    if done.returncode != 0:
        raise DumpUnusable(f"the dump can't be read: {reason_of(done)}")


def _checksum(descriptor: int, size: int) -> str:
    """Return the SHA-256 of the beginning of a file."""
    checksum, place = hashlib.sha256(), 0
    while place < size and (chunk := os.pread(descriptor, min(size - place, 2**20), place)):
        checksum.update(chunk)
        place += len(chunk)
    return checksum.hexdigest()


def load_dump(cluster: Cluster, conninfo: str, descriptor: int, *, sections: tuple[str, ...] = ()) -> None:
    """Do what a dump says, in one transaction.

    Args:
        cluster: The cluster that it is for, whose server runs.
        conninfo: The database, as a user who may do no harm with what the dump says.
        descriptor: Where the dump can be read.
        sections: Only these sections of it.

    Raises:
        DumpUnusable: It is none, is damaged, or the database refuses it.
    """
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.lseek(descriptor, 0, os.SEEK_SET)
    done = cluster.run(
        "pg_restore",
        "--exit-on-error",
        "--single-transaction",
        "--no-owner",
        "--no-privileges",
        "--no-comments",
        "--no-publications",
        "--no-subscriptions",
        "--no-security-labels",
        "--no-tablespaces",
        *(f"--section={section}" for section in sections),
        f"--dbname={conninfo}",
        stdin=descriptor,
    )
    if done.returncode != 0:
        raise DumpUnusable(f"the dump can't be restored: {reason_of(done)}")


def reason_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return the reason that a program of PostgreSQL gives, in one line, with what to do about a full disk."""
    output = done.stdout
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line or "ERROR:" in line] or lines
    said = " ".join(line.partition("error: ")[2] or line for line in errors[:2]) or _end_of(done.returncode)
    if is_full(output):
        return f"{said}; free some space on that disk, and try again"
    if "unsupported version" in output:
        return f"{said}: a newer pg_dump has written it, and a newer pact-dispatch can read it"
    if "end of file" in output:
        return f"{said}: it is not whole; {ANOTHER}"
    return said


def _end_of(returncode: int) -> str:
    """Return how a program ended that has said nothing."""
    if returncode < 0:
        return f"it was ended by {signal.Signals(-returncode).name}, from outside"
    return f"it ended with {returncode}, without a message"


def _begin(connection: Connection[Any]) -> tuple[Contents, str]:
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    snapshot = connection.execute("SELECT pg_export_snapshot()").fetchone()
    contents = read_contents(connection)
    if snapshot is None or contents.schema_version is None:
        raise DatabaseUnusable("there is nothing to dump: the database has no tables of a receiver")
    return contents, snapshot[0]


@contextmanager
def _growth(descriptor: int, tell: Callable[[str], None]) -> Iterator[None]:
    """Tell how a file grows that another process writes."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(POLL_SECONDS):
            tell(f"{os.fstat(descriptor).st_size / 1e6:.1f} MB are written")

    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        yield
        return
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some file systems can't
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
