from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from app.database.connections import database
from app.database.database_url import DatabaseUnusable
from app.database.embedded import cluster
from app.database.embedded.account import server_account
from app.database.embedded.beside import MOVED, mark_moved
from app.database.embedded.binaries import find_binaries
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIME_LIMIT = 60.0
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
NOBODY = str(pwd.getpwnam("nobody").pw_uid)


class User:
    """Another process that uses the server of a data directory."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.postgres_user", str(data_dir), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        self.stdout, self.stdin = self.process.stdout, self.process.stdin

    def said(self) -> str:
        return self.stdout.readline().strip()

    def leave(self) -> int:
        self.stdin.close()
        return self.end()

    def kill(self) -> None:
        self.process.kill()
        self.stdin.close()
        if not self.stdout.closed:
            self.end()

    def end(self) -> int:
        # It ends with the process: nothing that was started holds on to the pipe.
        self.stdout.read()
        self.stdout.close()
        return self.process.wait(TIME_LIMIT)


@contextmanager
def user(data_dir: Path, *options: str) -> Iterator[User]:
    started = User(data_dir, *options)
    try:
        yield started
    finally:
        started.kill()


def servers(data_dir: Path) -> list[psutil.Process]:
    """All processes of PostgreSQL with their data there, the postmaster first."""
    found = []
    for process in psutil.process_iter(["name", "cwd", "create_time", "status"]):
        name, cwd = process.info["name"], process.info["cwd"]
        if process.info["status"] == psutil.STATUS_ZOMBIE:  # it has ended, and init has not asked for it yet
            continue
        if name == "postgres" and cwd and Path(cwd).is_relative_to(data_dir.resolve()):
            found.append(process)
    return sorted(found, key=lambda process: (process.info["create_time"], process.pid))


def kill_servers(data_dir: Path) -> None:
    for process in servers(data_dir):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until_stopped(data_dir)


def wait_until_stopped(data_dir: Path) -> None:
    """Wait until the last process has ended: a server's pid file is gone, and its log is whole, a moment apart."""
    wait_until(lambda: not servers(data_dir))


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + TIME_LIMIT
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def started_at(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_postmaster_start_time()::text").fetchone()
    assert row is not None
    return str(row[0])


def refusal(data_dir: Path) -> str:
    with pytest.raises(DatabaseUnusable) as raised, database(None, data_dir):
        pass
    return str(raised.value)


def test_what_is_stored_is_there_at_the_next_start(data_dir: Path) -> None:
    with database(None, data_dir) as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    wait_until_stopped(data_dir)

    with database(None, data_dir) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_server_is_durable_private_and_off_the_network(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(mode=0o755)
    with database(None, data_dir) as url, psycopg.connect(url) as connection:
        shown = {
            name: connection.execute("SELECT current_setting(%s)", [name]).fetchone()
            for name in ("fsync", "full_page_writes", "synchronous_commit", "listen_addresses")
        }
        assert shown == {
            "fsync": ("on",),
            "full_page_writes": ("on",),
            "synchronous_commit": ("on",),
            "listen_addresses": ("",),
        }
        postmaster = servers(data_dir)[0]
        assert postmaster.net_connections(kind="inet") == []
        assert "DATABASE_URL" not in postmaster.environ()
        assert postmaster.uids().real != 0
    assert stat.S_IMODE((data_dir / "postgres").stat().st_mode) == 0o700


def test_log_holds_a_week_at_most_and_no_rows(data_dir: Path) -> None:
    with database(None, data_dir) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE secrets (value text UNIQUE)")
        for _ in range(2):
            with contextlib.suppress(psycopg.errors.UniqueViolation):
                connection.execute("INSERT INTO secrets VALUES ('hunter2')")
    wait_until_stopped(data_dir)
    (log,) = (data_dir / "postgres" / "data" / "log").iterdir()
    assert log.name == f"postgresql-{time.strftime('%a', time.gmtime())}.log"
    assert "duplicate key" in log.read_text()
    assert "hunter2" not in log.read_text()


def test_processes_share_a_server_and_the_last_one_stops_it(data_dir: Path) -> None:
    with user(data_dir) as first, user(data_dir) as second:
        url = first.said()
        assert second.said() == url
        start = started_at(url)
        assert first.leave() == 0
        assert started_at(url) == start
        assert second.leave() == 0
    wait_until_stopped(data_dir)


def test_processes_that_start_at_once_share_one_server(data_dir: Path) -> None:
    with contextlib.ExitStack() as stack:
        users = [stack.enter_context(user(data_dir)) for _ in range(4)]
        starts = {started_at(one.said()) for one in users}
        assert len(starts) == 1
        assert [one.leave() for one in users] == [0, 0, 0, 0]
    wait_until_stopped(data_dir)


def test_server_of_killed_users_is_taken_over_and_stopped(data_dir: Path) -> None:
    with user(data_dir) as first, user(data_dir) as second:
        start = started_at(first.said())
        second.said()
        first.kill()
        second.kill()
    with database(None, data_dir) as url:
        assert started_at(url) == start
    wait_until_stopped(data_dir)


def test_start_succeeds_when_everything_was_killed(data_dir: Path) -> None:
    with user(data_dir) as first:
        start = started_at(first.said())
        first.kill()
        kill_servers(data_dir)
    with database(None, data_dir) as url:
        assert started_at(url) != start


def has_begun(folder: Path, moment: str) -> bool:
    """Tell whether a start has come to a moment, or past it: its data are complete then."""
    return any(folder.glob(moment)) or (folder / "data").exists()


def test_starter_killed_at_any_moment_leaves_nothing_that_prevents_a_start(data_dir: Path) -> None:
    for moment in ("new-*", "new-*/global", "data", "data/postmaster.pid"):
        with user(data_dir) as starter:
            wait_until(lambda moment=moment: has_begun(data_dir / "postgres", moment))  # type: ignore[misc]
            starter.kill()
        with database(None, data_dir) as url:
            started_at(url)
        kill_servers(data_dir)
        shutil.rmtree(data_dir / "postgres")


def test_what_was_acknowledged_survives_the_kill_of_every_server_process(data_dir: Path) -> None:
    with database(None, data_dir) as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (number integer)")
        acknowledged: list[int] = []

        def insert(first: int) -> None:
            with (
                contextlib.suppress(psycopg.OperationalError),
                psycopg.connect(url, autocommit=True) as connection,
            ):
                for number in range(first, first + 1_000_000):
                    connection.execute("INSERT INTO kept VALUES (%s)", [number])
                    acknowledged.append(number)

        writers = [threading.Thread(target=insert, args=[n * 1_000_000]) for n in range(3)]
        for writer in writers:
            writer.start()
        wait_until(lambda: len(acknowledged) > 500)
        kill_servers(data_dir)
        for writer in writers:
            writer.join(TIME_LIMIT)
        with database(None, data_dir), psycopg.connect(url) as connection:
            stored = {number for (number,) in connection.execute("SELECT number FROM kept")}
    assert len(acknowledged) > 500
    assert set(acknowledged) - stored == set()


def test_a_pid_that_is_another_programs_by_now_is_not_taken_for_a_server(data_dir: Path) -> None:
    with user(data_dir) as first:
        first.said()
        pid_file = data_dir / "postgres" / "data" / "postmaster.pid"
        lines = pid_file.read_text().splitlines(keepends=True)
        owner = pid_file.stat().st_uid
        first.kill()
        kill_servers(data_dir)
    as_owner = owner if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/sleep", "60"], user=as_owner) as stranger:
        pid_file.write_text("".join([f"{stranger.pid}\n", *lines[1:]]))
        with database(None, data_dir) as url:
            started_at(url)
        assert stranger.poll() is None
        stranger.kill()


def test_server_started_by_hand_is_left_alone(data_dir: Path) -> None:
    with user(data_dir) as first:
        first.said()
        pid_file = data_dir / "postgres" / "data" / "postmaster.pid"
        (data_dir / "postgres" / "server.lock").unlink()  # as if it had never been locked
        (data_dir / "postgres" / ".s.PGSQL.5432").unlink()
        assert "postmaster.pid" in refusal(data_dir)
        assert psutil.pid_exists(int(pid_file.read_text().split()[0]))
        kill_servers(data_dir)


def test_fork_that_leaves_does_not_stop_the_server(data_dir: Path) -> None:
    with database(None, data_dir) as url:
        script = (
            "import os, sys, psycopg\nfrom pathlib import Path\nfrom app.database.connections import database\n"
            "with database(None, Path(sys.argv[1])) as url:\n"
            "    child = os.fork()\n"
            "    if child == 0:\n"
            "        sys.exit(7)\n"
            "    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
            "    psycopg.connect(url).close()\n"
            "    print(status)\n"
        )
    # Alone, so that the fork would be the last user.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(data_dir)],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIME_LIMIT,
    )
    assert done.stdout == "7\n"
    assert url
    wait_until_stopped(data_dir)


@pytest.mark.parametrize("name", ["x" * 100, 'a folder, it\'s "named" so; ü'])
def test_path_that_no_socket_can_have_gets_a_private_one_elsewhere(data_dir: Path, name: str) -> None:
    place = data_dir / name
    place.mkdir()
    place.chmod(0o755)
    with database(None, place) as url, user(place) as second:
        assert second.said() == url
        started_at(url)
        socket_folder = (place / "postgres" / "socket").readlink()
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
        assert second.leave() == 0
    assert not socket_folder.exists()
    with database(None, place) as url:
        started_at(url)


def test_nothing_is_removed_or_written_where_a_link_of_the_servers_account_leads(data_dir: Path) -> None:
    own, other = data_dir / "own", data_dir / "other"
    one = cluster.Cluster(own, find_binaries(), server_account(own))
    one.prepare()
    for mode in (0o755, 0o700):  # a folder that is closed may be one of sockets, and has more in it
        other.mkdir(exist_ok=True)
        other.chmod(mode)
        one.account.take(other)
        (other / "file").write_text("kept")
        (own / "socket").symlink_to(other)
        one.stop()
        assert not (own / "socket").is_symlink()
        assert (other / "file").read_text() == "kept"
    (own / MOVED).symlink_to(other / "file")
    mark_moved(own, "elsewhere\n")
    assert ((own / MOVED).read_text(), (other / "file").read_text()) == ("elsewhere\n", "kept")


def test_data_of_another_major_version_is_refused_untouched(data_dir: Path) -> None:
    with database(None, data_dir):
        pass
    version = data_dir / "postgres" / "data" / "PG_VERSION"
    version.write_text("17\n")
    message = refusal(data_dir)
    assert "made by PostgreSQL 17, and PostgreSQL 18 can't read it" in message
    assert "`pact-dispatch database upgrade` takes over what is in it" in message
    version.write_text("19\n")
    assert "made by PostgreSQL 19, and this is 18" in refusal(data_dir)
    version.write_text("18\n")
    with database(None, data_dir) as url:
        started_at(url)


def test_damaged_data_is_refused_with_what_the_server_says(data_dir: Path) -> None:
    with database(None, data_dir):
        pass
    (data_dir / "postgres" / "data" / "global" / "pg_control").write_bytes(b"")
    assert "pg_control" in refusal(data_dir)


def test_folder_that_cannot_be_written_is_refused(data_dir: Path) -> None:
    data_dir.chmod(0o555)
    options = (NOBODY,) if os.geteuid() == 0 else ()
    with user(data_dir, *options) as one:
        message = one.said()
        assert one.end() == 3
    assert f"the PostgreSQL in {data_dir / 'postgres'} can't be started" in message
    assert "Permission denied" in message
    assert "must belong to the user that runs this, and be writable" in message
    data_dir.chmod(0o755)


def test_data_directory_that_is_a_file_is_refused(data_dir: Path) -> None:
    (data_dir / "file").write_text("")
    assert "Not a directory" in refusal(data_dir / "file")


@AS_ROOT
def test_folder_of_another_user_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir()
    with user(data_dir, NOBODY) as one:
        message = one.said()
    assert f"{data_dir / 'postgres'} belongs to root, and this runs as nobody" in message


@AS_ROOT
def test_root_is_told_which_folder_is_closed_to_the_server(data_dir: Path) -> None:
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)
    message = refusal(closed / "data")
    assert f"because {closed} is closed to it" in message
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@AS_ROOT
def test_root_keeps_the_user_whose_data_it_is(data_dir: Path) -> None:
    data_dir.chmod(0o777)
    with user(data_dir, NOBODY) as first:
        first.said()
        first.leave()
    with database(None, data_dir) as url:
        started_at(url)
        assert {process.username() for process in servers(data_dir)} == {"nobody"}
    with user(data_dir, NOBODY) as again:
        assert again.said() == url


@AS_ROOT
def test_full_disk_is_named(data_dir: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m,mode=755", "none", str(data_dir)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        message = refusal(data_dir)
        assert "No space left on device" in message
        assert "free some space on its disk" in message
        assert not list((data_dir / "postgres").glob("new-*"))
    finally:
        subprocess.run(["umount", str(data_dir)], check=True)


def test_server_that_hangs_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with user(data_dir) as first:
        first.said()
        postmaster = servers(data_dir)[0]
        postmaster.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(cluster, "START_SECONDS", 1.0)
        assert "runs, and does not answer" in refusal(data_dir)
        postmaster.send_signal(signal.SIGCONT)
        assert first.leave() == 0
    wait_until_stopped(data_dir)
