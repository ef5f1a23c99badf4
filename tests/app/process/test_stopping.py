"""What uses the database stops at SIGTERM whatever it is doing, and leaves no PostgreSQL behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from app.database.connections import EMBEDDED_FOLDER, database, migrate
from app.process.locks import locked
from app.process.supervision import SUPERVISOR_VARIABLE
from tests.support.paths import ROOT
from tests.support.processes import TIME_LIMIT
from tests.support.receiver import wait_until
from tests.support.running import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CONFIGURATION = """
[broker]
url = "http://127.0.0.1:9292"
[[providers]]
name = "Products"
repository = "acme/products"
base_url = "http://127.0.0.1:8080"
version = "1"
"""


NONE: Mapping[str, str] = {}
SLOW_MIGRATIONS = """
import sys, time
from app import cli
from app.database import schema

def migrate(*_, **__):
    print("migrating", flush=True)
    time.sleep(1000)

schema.migrate = migrate
sys.exit(cli.main(sys.argv[1:]))
"""


def start(
    folder: Path,
    data_dir: Path,
    command: str,
    *options: str,
    program: tuple[str, ...] = ("-m", "app"),
    pass_fds: tuple[int, ...] = (),
    variables: Mapping[str, str] = NONE,
) -> subprocess.Popen[str]:
    config = folder / "pact-dispatch.toml"
    config.write_text(CONFIGURATION)
    where = ["--config", str(config), "--data-dir", str(data_dir)]
    return subprocess.Popen(
        [sys.executable, "-P", *program, command, *where, *options],
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=pass_fds,
    )


def serve(folder: Path, data_dir: Path, **variables: str) -> subprocess.Popen[str]:
    return start(folder, data_dir, "serve", "--bind", "127.0.0.1:0", variables=variables)


@contextmanager
def migrating(
    folder: Path,
    data_dir: Path,
    *words: str,
    pass_fds: tuple[int, ...] = (),
    variables: Mapping[str, str] = NONE,
) -> Iterator[subprocess.Popen[str]]:
    """Run a command that has started PostgreSQL, and whose migrations come to no end."""
    variables = {"PYTHONPATH": str(ROOT), **variables}
    program = ("-c", SLOW_MIGRATIONS)
    with start(folder, data_dir, *words, program=program, pass_fds=pass_fds, variables=variables) as process:
        assert process.stdout is not None
        try:
            assert any(line == "migrating\n" for line in process.stdout)
            yield process
        finally:
            process.kill()


def check_no_postgresql(data_dir: Path) -> None:
    folder = data_dir / EMBEDDED_FOLDER
    with locked(folder / "server.lock", wait=TIME_LIMIT):
        assert not (folder / "data" / "postmaster.pid").exists()


def stopped_by(number: signal.Signals, process: subprocess.Popen[str], code: int = 0) -> str:
    """What was printed by a process that a signal stopped."""
    process.send_signal(number)
    out, _ = process.communicate(timeout=TIME_LIMIT)
    assert process.returncode == code, out
    assert "Traceback" not in out
    return out


def has_come_to(folder: Path, appears: str) -> bool:
    """Tell whether a file is there; or whether the start is past the moment in which it is: the data are complete."""
    is_past = appears.startswith("new-") and (folder / "data").exists()
    return is_past or any(folder.glob(appears))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "appears", ["start.lock", "new-*/PG_VERSION", "data/postmaster.pid", ".s.PGSQL.5432"]
)
def test_a_signal_while_postgresql_starts_leaves_none_behind(
    tmp_path: Path, data_dir: Path, appears: str, number: signal.Signals
) -> None:
    folder = data_dir / "postgres"
    process = serve(tmp_path, data_dir)
    wait_until(lambda: has_come_to(folder, appears) or process.poll() is not None, appears)
    stopped_by(number, process)
    check_no_postgresql(data_dir)


def test_a_signal_while_the_database_is_waited_for_is_no_reason_to_go_on_waiting(
    tmp_path: Path, data_dir: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://user@127.0.0.1:{silent.getsockname()[1]}/things"
        process = serve(tmp_path, data_dir, DATABASE_URL=url)
        silent.settimeout(TIME_LIMIT)
        connection, _ = silent.accept()
        with connection:
            stopped_by(signal.SIGTERM, process)


@pytest.mark.parametrize(
    ("words", "code"),
    [(("worker",), 0), (("web", "--bind", "127.0.0.1:0"), 0), (("migrate",), 130), (("reconcile",), 130)],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_command_starts_leaves_no_postgresql_behind(
    tmp_path: Path, data_dir: Path, words: tuple[str, ...], code: int, number: signal.Signals
) -> None:
    if words == ("reconcile",):
        with database(None, data_dir) as url:
            migrate(url)
    with migrating(tmp_path, data_dir, *words) as process:
        out = stopped_by(number, process, code)
    assert ("interrupted" in out) == (code == 130)
    check_no_postgresql(data_dir)


@pytest.mark.parametrize("words", [("worker",), ("web", "--bind", "127.0.0.1:0")])
def test_a_process_whose_supervisor_ends_while_it_starts_leaves_no_postgresql_behind(
    tmp_path: Path, data_dir: Path, words: tuple[str, ...]
) -> None:
    reader, writer = os.pipe()
    with migrating(
        tmp_path, data_dir, *words, pass_fds=(reader,), variables={SUPERVISOR_VARIABLE: str(reader)}
    ) as process:
        os.close(reader)
        os.close(writer)
        out, _ = process.communicate(timeout=TIME_LIMIT)
        assert process.returncode == 0, out
    check_no_postgresql(data_dir)


ANOTHER_SIGNAL = """
import os, signal, sys
from app import cli
from app.commands.worker import command

end = command.end_traces

def end_traces():
    print("another signal", flush=True)
    os.kill(os.getpid(), signal.{0})
    end()

command.end_traces = end_traces
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_another_signal_while_a_worker_ends_does_not_kill_it(
    tmp_path: Path, data_dir: Path, number: signal.Signals
) -> None:
    program = ("-c", ANOTHER_SIGNAL.format(number.name))
    with start(tmp_path, data_dir, "worker", program=program, variables={"PYTHONPATH": str(ROOT)}) as process:
        assert process.stdout is not None
        try:
            assert any("worker started" in line for line in process.stdout)
            out = stopped_by(signal.SIGTERM, process)
        finally:
            process.kill()
    assert "worker stopped" in out
    assert "another signal" in out
    check_no_postgresql(data_dir)
