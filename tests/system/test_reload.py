"""A receiver takes another configuration while it is used: nothing is refused, reset or lost."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any, Self

import requests

from tests.app.web.dashboard.test_live import Events
from tests.support.broker_records import count_results, publish
from tests.support.commands import pact_dispatch
from tests.support.pacts import interaction, pact
from tests.support.processes import TIME_LIMIT, EmbeddedBroker
from tests.support.receiver import API_TOKEN, TOKEN, ReceiverProcess, command_line, configuration
from tests.support.running import scripted_provider

if TYPE_CHECKING:
    from pathlib import Path

GOOD = interaction("a thing", "/things/1", body={"id": 1, "name": "thing"})
RUNNING = {"version": "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d", "branch": "main", "health_path": "/health"}
HEADERS = {"Authorization": f"Bearer {API_TOKEN}"}


class Dispatches:
    """Sends dispatches one after another, each over the same connection, until the end of the `with` block."""

    def __init__(self, url: str, pact_url: str) -> None:
        self.sent = 0
        self.wrong: list[str] = []
        self.locations: list[str] = []
        self._url = f"{url}/repos/acme/products/dispatches"
        self._body = {"event_type": "pact_changed", "client_payload": {"pact_url": pact_url}}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _send(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {TOKEN}"
            while not self._ending.wait(0.05):
                try:
                    answer = session.post(self._url, json=self._body, timeout=TIME_LIMIT)
                except requests.RequestException as error:
                    self.wrong.append(repr(error))
                    continue
                self.sent += 1
                self.locations.append(answer.headers.get("Location", ""))
                if answer.status_code != 204 or answer.headers.get("Connection") == "close":
                    self.wrong.append(f"{answer.status_code} {answer.headers}")


def reload(server: ReceiverProcess) -> tuple[int, list[str], str]:
    """Give the exit code of the command, its lines, and what it has said, for a receiver."""
    done = pact_dispatch(
        "reload", "--config", str(server.config), "--data-dir", str(server.folder / "data"), environment={}
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


def provider_file(name: str, url: str) -> str:
    _, _, provider = configuration(
        "", {"name": name, "repository": f"acme/{name.lower()}", "base_url": url, **RUNNING}
    ).partition("[[")
    return f"[[{provider}"


def pids(server: ReceiverProcess) -> set[int]:
    """Give the ids of the processes that are reloaded, and of the one that starts those of the web side."""
    return {
        child.pid for child in server.descendants() if {"app", "web", "worker"} & set(command_line(child))
    }


def processes(server: ReceiverProcess) -> list[dict[str, Any]]:
    return server.rows("SELECT kind, configuration, refused, restart FROM receiver_processes ORDER BY kind")


def test_nothing_is_dropped_while_the_configuration_changes(tmp_path: Path, database_url: str) -> None:
    with scripted_provider() as url, EmbeddedBroker(tmp_path) as broker:
        products, later = (publish(broker, pact(GOOD, provider=name), "C") for name in ("Products", "Later"))
        folder = tmp_path / "receiver"
        (folder / "conf.d").mkdir(parents=True)
        worker = {"retry_seconds": [0.2]}
        config = configuration(
            broker.url, {"base_url": url, **RUNNING}, server={"processes": 2}, worker=worker
        )
        with ReceiverProcess(folder, config, database_url=database_url) as server:
            server.wait_until(lambda: len(processes(server)) == 3, "every process has told its configuration")
            [first] = {one["configuration"] for one in processes(server)}
            page = Events(server.url, "provider Later")
            before = pids(server)
            with Dispatches(server.url, products) as stream:
                _reload_by_the_command(server, url, later, first)
                _wait_as_long_as_the_provider_is_gone(server, later)
                _reload_by_the_signal(server, url)
                _reload_each_side_by_the_signal(server, url)
                sent = stream.sent
                server.wait_until(lambda: stream.sent > sent + 10, "dispatches go on")
            assert stream.wrong == []
            assert all(one.startswith("https://ci.example.org/runs/") for one in stream.locations[-10:])
            server.wait_until(lambda: page.names, "the page was told of a change")
            assert not page.has_ended.is_set()
            assert pids(server) == before
            runs = server.wait_for_runs()
            assert {run["outcome"] for run in runs} == {"passed"}
            assert (
                stream.sent
                == server.rows("SELECT count(*) FROM deliveries WHERE repository = 'acme/products'")[0][
                    "count"
                ]
            )
            _replace_a_process_after_an_edit(server, later)
        assert count_results(broker, later) >= 2


def _reload_by_the_command(server: ReceiverProcess, url: str, later: str, first: str) -> None:
    """Add a provider and change a limit, with a mistake first: nothing changes anywhere then."""
    conf_d = server.folder / "conf.d"
    text = server.config.read_text()
    changed = text.replace("[server]\n", '[server]\npublic_url = "https://ci.example.org"\n')
    server.config.write_text(changed.replace("[worker]\n", "[worker]\nconcurrency = 7\n"))
    (conf_d / "later.toml").write_text(provider_file("Later", url))
    (conf_d / "wrong.toml").write_text(provider_file("later", url))

    code, taken, said = reload(server)
    assert (code, taken) == (2, [])
    for key in ("name", "repository"):
        assert f"wrong.toml: two providers have the {key} " in said
    assert "every process keeps the configuration that it has" in said
    server.wait_until(lambda: all(one["refused"] for one in processes(server)), "all have refused it")
    assert {one["configuration"] for one in processes(server)} == {first}
    assert server.dispatch(later, repository="acme/later").status_code == 404

    (conf_d / "wrong.toml").unlink()
    code, taken, said = reload(server)
    assert (code, len(taken), said) == (0, 3, ""), said
    assert all(line.endswith("; with its next start: worker.concurrency (4, now 7)") for line in taken)
    server.wait_until(lambda: not any(one["refused"] for one in processes(server)), "all have taken it")
    [second] = configurations(server)
    assert second != first
    assert all(second in line for line in taken)
    assert server.dispatch(later, repository="acme/later").status_code == 204
    server.wait_until(lambda: _of_later(server)[-1]["outcome"] == "passed", "the new provider is verified")


def _wait_as_long_as_the_provider_is_gone(server: ReceiverProcess, later: str) -> None:
    """Have a run wait while its provider is in no configuration; it goes on at once when that is back."""
    conf_d = server.folder / "conf.d"
    answer = requests.post(f"{server.url}/api/providers/Later/pause", headers=HEADERS, timeout=TIME_LIMIT)
    assert answer.status_code == 200
    assert server.dispatch(later, repository="acme/later").status_code == 204
    (conf_d / "later.toml").rename(conf_d / "later.off")
    assert reload(server)[0] == 0
    assert server.dispatch(later, repository="acme/later").status_code == 404
    requests.post(f"{server.url}/api/providers/Later/resume", headers=HEADERS, timeout=TIME_LIMIT)
    server.wait_until(lambda: _of_later(server)[-1]["error_kind"] == "unknown-provider", "the run waits")
    (conf_d / "later.off").rename(conf_d / "later.toml")
    code, taken, _ = reload(server)
    assert code == 0
    server.wait_until(lambda: _of_later(server)[-1]["outcome"] == "passed", "the run went on")
    server.wait_until(
        lambda: (
            len(noted := configurations(server)) == 1 and all(noted.copy().pop() in line for line in taken)
        ),
        "every process has noted it",
    )


def configurations(server: ReceiverProcess) -> set[str]:
    """Give the digests of the configurations that the processes have."""
    return {one["configuration"] for one in processes(server)}


def _reload_by_the_signal(server: ReceiverProcess, url: str) -> None:
    """Add another provider by SIGHUP, with a mistake first."""
    assert server.process is not None
    before = configurations(server)
    (server.folder / "conf.d" / "third.toml").write_text("[broker]\n")
    server.process.send_signal(signal.SIGHUP)
    server.wait_until(
        lambda: server.logged("the configuration is not taken: every process keeps what it has"),
        "it is logged",
    )
    [mistake] = server.logged("a mistake in the configuration")
    assert "third.toml: broker: only [[providers]] may stand in a file of conf.d" in mistake["mistake"]
    (server.folder / "conf.d" / "third.toml").write_text(provider_file("Third", url))
    server.process.send_signal(signal.SIGHUP)
    server.wait_until(
        lambda: len(after := configurations(server)) == 1 and after != before, "every process has taken it"
    )
    pact_url = f"http://127.0.0.1:{os.getpid()}/pacts/provider/Third/consumer/C/version/1"
    answer = server.dispatch(pact_url, repository="acme/third")
    assert "is not on the configured Pact Broker" in answer.text


def _reload_each_side_by_the_signal(server: ReceiverProcess, url: str) -> None:
    """Change the file, and tell it to the web side alone, and then to the worker."""
    [second] = {one["configuration"] for one in processes(server)}
    (server.folder / "conf.d" / "fourth.toml").write_text(provider_file("Fourth", url))
    for part, number in (("web", 1), ("worker", 0)):
        side = next(
            child
            for child in server.descendants()
            if part in command_line(child) and child.ppid() == _pid(server)
        )
        side.send_signal(signal.SIGHUP)

        def left(number: int = number) -> bool:
            return [one["configuration"] for one in processes(server)].count(second) == number

        server.wait_until(left, f"{number} of the processes have not taken it")
    assert len(configurations(server)) == 1


def _pid(server: ReceiverProcess) -> int:
    assert server.process is not None
    return server.process.pid


def _replace_a_process_after_an_edit(server: ReceiverProcess, later: str) -> None:
    """Kill a web process while a file is edited; the one that comes in its place has what the others have."""
    (server.folder / "conf.d" / "third.toml").write_text("[[providers]]\nname = ")
    killed = next(
        child for child in server.descendants() if "web" in command_line(child) and not child.children()
    )
    killed.kill()
    server.wait_until(lambda: len(processes(server)) == 4, "another process is there")
    assert len({one["configuration"] for one in processes(server)}) == 1
    for _ in range(10):
        server.session.close()
        assert server.dispatch(later, repository="acme/later").status_code == 204


def _of_later(server: ReceiverProcess) -> list[dict[str, Any]]:
    return server.rows("SELECT * FROM runs WHERE provider = 'Later' ORDER BY created_at")
