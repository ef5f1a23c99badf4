"""One cluster of the embedded PostgreSQL: its data in a folder, and the server that works on it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg

from app.database.embedded.binaries import MAJOR
from app.database.embedded.server_settings import settings_for
from app.database.embedded.unusable import PostgresUnusable, explained
from app.process.locks import Busy, locked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.database.embedded.account import ServerAccount

START_SECONDS = 60.0
"""How long a start may take: after a crash the server recovers its data first."""
STOP_SECONDS = 30
PID_FILE_SECONDS = 5.0
"""How long to wait for the pid file of a server whose start was interrupted: it can't be stopped without."""
MAX_SOCKET_FOLDER = 90
"""Bytes; the whole path of a socket may have 107 on Linux, 103 on macOS."""
PROBE_SECONDS = 2
DATA_FOLDER = "data"
"""The folder of the data in that of an embedded database; it is there once the data is complete."""


@dataclass(frozen=True)
class Cluster:
    """The data and the server of a folder. All methods but `prepare` need `start.lock`.

    Attributes:
        folder: The folder, which belongs to the server alone.
        binaries: The folder of PostgreSQL's programs.
        account: The user that the server runs as.
        major: The version of the programs.
        settings: What differs from the usual settings of the server.
    """

    folder: Path
    binaries: Path
    account: ServerAccount
    major: int = MAJOR
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The folder of the data."""
        return self.folder / DATA_FOLDER

    @property
    def data_major(self) -> int | None:
        """The version of PostgreSQL that has made the data; None if there are none.

        Raises:
            PostgresUnusable: It can't be told.
        """
        file = self.data / "PG_VERSION"
        try:
            text = file.read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError as error:
            if not self.data.exists():
                return None
            raise PostgresUnusable(
                f"{self.data} is no data directory of PostgreSQL: it has no PG_VERSION"
            ) from error
        if not text.isdecimal():
            raise PostgresUnusable(f"{file} has no version of PostgreSQL in it")
        return int(text)

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
        self._check_version()  # a server of another version may run there, left behind by an upgrade that was killed
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
            self._remove_stale_pid_files(socket_folder)
            self._start(socket_folder, lock.descriptor)
        self._wait(url, end)
        return url

    def stop(self, *, at_once: bool = False) -> None:
        """Stop the server, if it runs.

        Args:
            at_once: Whether it may leave its data as after a crash, since nobody needs them.
        """
        if self.is_alive():
            self._stop(("immediate",) if at_once else ("fast", "immediate"))
        link = self.folder / "socket"
        if link.is_symlink():
            self._remove_socket_folder(link.readlink())
            link.unlink(missing_ok=True)

    def _remove_socket_folder(self, folder: Path) -> None:
        """Remove a private folder of sockets, and nothing else: the link to it is in reach of the server's account."""
        if self.account.owns_private(folder):
            with suppress(OSError):  # what else is in it stays, and so does the folder
                for file in folder.glob(".s.PGSQL.*"):
                    file.unlink()
                folder.rmdir()

    def _stop(self, modes: Sequence[str]) -> None:
        end = time.monotonic() + PID_FILE_SECONDS
        while self.is_alive() and not (self.data / "postmaster.pid").exists() and time.monotonic() < end:
            time.sleep(0.01)
        for mode in modes:
            stopping = self.run(
                "pg_ctl", "stop", "-D", str(self.data), "-m", mode, "-t", str(STOP_SECONDS), "-s"
            )
            if stopping.returncode == 0 or not self.is_alive():
                break

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
        made = self.run("initdb", *options, data=new, lock=lock)
        if made.returncode != 0:
            shutil.rmtree(new, ignore_errors=True)
            raise PostgresUnusable(explained(self.folder, made.stdout))
        new.rename(self.data)

    def _check_version(self) -> None:
        found = self.data_major
        if found is None or found == self.major:
            return
        if found > self.major:
            raise PostgresUnusable(
                f"{self.data} was made by PostgreSQL {found}, and this is {self.major}, which can't read it: install "
                "the version of pact-dispatch that made it, or a later one"
            )
        raise PostgresUnusable(
            f"{self.data} was made by PostgreSQL {found}, and PostgreSQL {self.major} can't read it. "
            "`pact-dispatch database upgrade` takes over what is in it"
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
        settings = settings_for(self.major) | dict(self.settings)
        settings["unix_socket_directories"] = str(socket_folder)
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
        # The output goes to a file: the server would inherit a pipe, which would never end.
        starting = self.run("pg_ctl", "start", "-W", "-s", "-l", log.name, "-o", options, lock=lock)
        if starting.returncode != 0:
            raise PostgresUnusable(explained(self.folder, starting.stdout))

    def _wait(self, url: str, end: float) -> None:
        began = time.time()
        while (refusal := _refusal(url)) is not None:
            if not self.is_alive():
                raise PostgresUnusable(explained(self.folder, self._last_error(began)))
            if time.monotonic() > end:
                raise PostgresUnusable(
                    f"the PostgreSQL in {self.folder} has not come up within {START_SECONDS:.0f} s ({refusal}): "
                    f"its log is in {self.data / 'log'}"
                )
            time.sleep(0.01)

    def is_alive(self) -> bool:
        """Return whether any process of the server is left."""
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

    def run(
        self,
        program: str,
        *arguments: str,
        data: Path | None = None,
        lock: int | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        seconds: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as the server's user, and return its exit code and its output.

        Args:
            program: Its name.
            arguments: Its arguments, which everybody on the machine can read.
            data: The folder of the data, if it is another one.
            lock: The descriptor of a lock that the program and what it starts hold on to.
            stdin: The descriptor of its input.
            stdout: The descriptor of its output; what it says of errors is returned in any case.
            seconds: How long it may take.

        Raises:
            subprocess.TimeoutExpired: It took longer.
        """
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            done = subprocess.run(
                [str(self.binaries / program), *arguments],
                stdin=stdin,
                stdout=output if stdout is None else stdout,
                stderr=output,
                check=False,
                timeout=seconds,
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


def _refusal(url: str) -> str | None:
    """Return why a server does not answer; None if it does."""
    try:
        with psycopg.connect(url, connect_timeout=PROBE_SECONDS, autocommit=True):
            return None
    except psycopg.OperationalError as error:
        return " ".join(str(error).split())
