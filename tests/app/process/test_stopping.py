"""`serve` stops at SIGTERM whatever it is doing, and leaves no PostgreSQL behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from app.process.locks import locked
from tests.support.paths import ROOT
from tests.support.processes import TIME_LIMIT
from tests.support.receiver import wait_until
from tests.support.running import environment

if TYPE_CHECKING:
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


def serve(folder: Path, data_dir: Path, **variables: str) -> subprocess.Popen[str]:
    config = folder / "pact-dispatch.toml"
    config.write_text(CONFIGURATION)
    where = ["--config", str(config), "--data-dir", str(data_dir), "--bind", "127.0.0.1:0"]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "app", "serve", *where],
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def stopped_by(number: signal.Signals, process: subprocess.Popen[str]) -> str:
    """What was printed by a process that a signal stopped."""
    process.send_signal(number)
    out, _ = process.communicate(timeout=TIME_LIMIT)
    assert process.returncode == 0, out
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
    with locked(folder / "server.lock", wait=TIME_LIMIT):
        assert not (folder / "data" / "postmaster.pid").exists()


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
