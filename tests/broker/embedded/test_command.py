"""The command itself: `pact-dispatch broker`."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from broker.embedded.storage.database import SCHEMA_VERSION
from tests.support.commands import pact_dispatch
from tests.support.processes import TIME_LIMIT, BrokerProcess

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return pact_dispatch(*arguments, environment=os.environ)


def test_the_line_says_where_it_listens(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        line = broker.wait_for_output("listening").string
    port = broker.url.rpartition(":")[2]
    assert line == (
        f"Pact Broker (embedded, for development) listening on http://127.0.0.1:{port}, database {broker.database}\n"
    )
    assert port != "0"


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(tmp_path: Path, kind: signal.Signals) -> None:
    broker = BrokerProcess(tmp_path)
    broker.start()
    broker.get("/")
    broker.session.close()
    broker.process.send_signal(kind)
    assert broker.process.wait(TIME_LIMIT) == 0
    broker.stop()
    assert broker.log.read_text() == ""


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("broker", "--bind", address, "--database", str(tmp_path / "x.sqlite3"))
    assert (done.returncode, done.stdout) == (3, "")
    assert f"pact-dispatch broker: Cannot listen on {address}: Address already in use. " in done.stderr
    assert "--bind" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address", ["", "x", "127.0.0.1", ":9292", "127.0.0.1:x", "127.0.0.1:65536", "a b:1", "[x]:1"]
)
def test_a_bad_address_is_a_wrong_option(tmp_path: Path, address: str) -> None:
    done = run("broker", f"--bind={address}", "--database", str(tmp_path / "x.sqlite3"))
    assert done.returncode == 2
    assert "is not HOST:PORT, such as 127.0.0.1:0" in done.stderr


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_said(tmp_path: Path, host: str) -> None:
    done = run("broker", "--bind", f"{host}:0", "--database", str(tmp_path / "x.sqlite3"))
    assert done.returncode == 3
    assert done.stderr.startswith(f"pact-dispatch broker: Cannot listen on {host}:0: ")


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    file = tmp_path / "broker.sqlite3"
    file.write_text("this is no SQLite database, whatever its name says" * 50)
    done = run("broker", "--bind", "127.0.0.1:0", "--database", str(file))
    assert done.returncode == 3
    assert (
        done.stderr == f"pact-dispatch broker: {file} can't be used as a database: file is not a database.\n"
    )


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = run("broker", "--bind", "127.0.0.1:0", "--database", str(tmp_path / "nowhere" / "broker.sqlite3"))
    assert done.returncode == 3
    assert "can't be used as a database: unable to open database file." in done.stderr


def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "broker.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    done = run("broker", "--bind", "127.0.0.1:0", "--database", str(file))
    assert done.returncode == 3
    assert "was written by a later pact-dispatch" in done.stderr


def test_base_url_is_what_links_start_with(tmp_path: Path, pact: dict[str, Any]) -> None:
    with BrokerProcess(tmp_path, "--base-url", "https://broker.example.org/pacts-here/") as broker:
        pact["consumer"]["name"], pact["provider"]["name"] = "Foo Consumer", "Bar/Provider"
        published = broker.publish(pact, "1", branch="main")
    assert published["_links"]["pb:contracts"][0]["href"] == (
        "https://broker.example.org/pacts-here/pacts/provider/Bar%2FProvider/consumer/Foo%20Consumer/version/1"
    )


@pytest.mark.parametrize("url", ["x", "ftp://x", "http://", "http://x?y"])
def test_a_bad_base_url_is_a_wrong_option(url: str) -> None:
    assert run("broker", "--base-url", url).returncode == 2


def test_ipv6_addresses_are_written_in_brackets(tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    with BrokerProcess(tmp_path, "--bind", "[::1]:0") as broker:
        assert re.fullmatch(r"http://\[::1\]:\d+", broker.url)
        assert broker.get("/").json()["_links"]["self"]["href"] == broker.url


def test_version_and_help() -> None:
    assert run("--version").stdout == f"pact-dispatch {version('pact-dispatch')}\n"
    assert "broker" in run("--help").stdout
    shown = run("broker", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "pact-dispatch broker --database broker.sqlite3" in shown.stdout
    assert run().returncode == 2
    assert run("nonsense").returncode == 2


@pytest.mark.parametrize("library", ["cryptography", "flask", "gunicorn", "sqlalchemy"])
def test_a_missing_extra_is_said(library: str) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None; from app.cli import main; sys.exit(main(['broker']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3
    assert "pip install 'pact-dispatch[server]'" in done.stderr


def test_the_database_is_made_with_its_schema_version(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        connection = sqlite3.connect(broker.database)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()
