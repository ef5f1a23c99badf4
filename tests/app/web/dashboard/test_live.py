"""Open pages are told what has changed, whatever becomes of the database's connection and of the process."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import requests

from app.dispatch import Dispatch
from app.records import run_changes
from app.web.live_hub import CHANNEL, CLOCKS_SECONDS, LiveHub, TooManyPages, topics_of
from tests.support.processes import TIME_LIMIT
from tests.support.receiver import API_TOKEN, ReceiverProcess, configuration, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADERS = {"Authorization": f"Bearer {API_TOKEN}"}
PACT = "http://127.0.0.1:1/pacts/provider/Products/consumer/C/latest"


class Events:
    """The events of an open page, as a browser's EventSource reads them."""

    def __init__(self, url: str, *topics: str) -> None:
        self.answer = requests.get(
            f"{url}/live", params={"topic": topics}, headers=HEADERS, stream=True, timeout=TIME_LIMIT
        )
        self.names: list[str] = []
        self.has_ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self.answer.iter_lines(chunk_size=1):
                if line.startswith(b"event: "):
                    self.names.append(line[7:].decode())
        except requests.RequestException:
            pass
        finally:
            self.has_ended.set()


@contextmanager
def web(folder: Path, database_url: str) -> Iterator[ReceiverProcess]:
    config = configuration("http://127.0.0.1:1", {"base_url": "http://127.0.0.1:1", "version": "1"})
    with ReceiverProcess(folder, config, command="web", database_url=database_url) as running:
        yield running


def test_a_page_is_told_of_what_it_shows_and_of_nothing_else(tmp_path: Path, database_url: str) -> None:
    with web(tmp_path, database_url) as receiver:
        runs, others = Events(receiver.url, "runs"), Events(receiver.url, "provider Another", "log x")
        assert runs.answer.headers["Content-Type"].startswith("text/event-stream")
        # what was missed before the database listens is made up for
        wait_until(lambda: runs.names and others.names, "both are told that the hub listens")
        before, told = len(runs.names), len(others.names)
        assert receiver.dispatch(PACT).status_code == 204
        wait_until(lambda: len(runs.names) > before, "the page of runs is told of the dispatch")

        receiver.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE pid <> pg_backend_pid() AND (query LIKE 'LISTEN {CHANNEL}%' OR query = 'SELECT 1')"
        )
        wait_until(lambda: len(others.names) > told, "all are told once the hub listens again")
        assert len(others.names) == told + 1

        receiver.stop()
        assert runs.has_ended.wait(TIME_LIMIT)
        assert others.has_ended.wait(TIME_LIMIT)


def test_one_page_too_many_is_refused_and_one_that_is_closed_makes_room() -> None:
    hub = LiveHub("host=127.0.0.1 port=1", most=1)
    with hub.subscribed(["runs"], of="ann"):
        with pytest.raises(TooManyPages), hub.subscribed(["runs"], of="bob"):
            pass
        assert len(hub) == 1
    with hub.subscribed(["runs"], of="bob"):
        assert len(hub) == 1
    hub.close()


def test_nobody_takes_all_the_pages_that_are_told() -> None:
    hub = LiveHub("host=127.0.0.1 port=1", most=4)
    with hub.subscribed(["runs"], of="ann"), hub.subscribed(["runs"], of="ann"):
        with pytest.raises(TooManyPages), hub.subscribed(["runs"], of="ann"):
            pass
        with hub.subscribed(["runs"], of="bob"), hub.subscribed(["runs"], of="bob"):
            assert len(hub) == 4
    hub.close()


def test_a_page_is_told_of_what_changed_between_its_making_and_its_asking(database_url: str) -> None:
    hub = LiveHub(database_url, most=10)
    with (
        psycopg.connect(database_url, autocommit=True) as changing,
        hub.subscribed(["runs"], of="ann") as first,
    ):
        assert first.wait(TIME_LIMIT)  # it listens
        made = time.time() + CLOCKS_SECONDS + 1
        with hub.subscribed(["runs"], of="ann", since=made) as early:
            assert early.wait(0) is None
        before = time.time()
        run_changes.request(changing, "A", Dispatch("a/b", "pact_changed", PACT), lock=None)
        assert first.wait(TIME_LIMIT)
        with (
            hub.subscribed(["runs"], of="ann", since=before) as late,
            hub.subscribed(["provider B"], of="ann", since=made) as other,
            hub.subscribed(["provider B"], of="bob") as old,
        ):
            assert late.wait(0)
            assert other.wait(0) is None
            assert old.wait(0)  # from before it listened
    hub.close()


def test_the_triggers_say_what_has_changed(database_url: str) -> None:
    with (
        psycopg.connect(database_url, autocommit=True) as listening,
        psycopg.connect(database_url) as changing,
    ):
        listening.execute(f"LISTEN {CHANNEL}".encode())

        def told() -> set[frozenset[str]]:
            changing.commit()
            return {topics_of(one.payload) for one in listening.notifies(timeout=TIME_LIMIT, stop_after=1)}

        run, _ = run_changes.request(changing, "A b", Dispatch("a/b", "pact_changed", PACT), lock=None)
        of_run = frozenset({"runs", f"run {run}", "provider A b"})
        assert told() == {of_run}
        run_changes.RunChanges().cancel(changing, run)
        assert told() == {of_run}
        changing.execute("INSERT INTO run_log_chunks VALUES (%s, 0, 1, 'text')", [run])
        assert told() == {frozenset({f"log {run}"})}
        changing.execute("INSERT INTO paused_providers VALUES ('A b', now(), 'me')")
        assert told() == {frozenset({"runs", "provider A b"})}
        changing.execute("DELETE FROM paused_providers")
        assert told() == {frozenset({"runs", "provider A b"})}
        values: dict[str, Any] = {"id": run, "run": run}
        changing.execute(
            "INSERT INTO deliveries (id, source, status, run_id) VALUES (%(id)s, 'api', 204, %(run)s)", values
        )
        assert told() == {frozenset({"deliveries", f"run {run}"})}
