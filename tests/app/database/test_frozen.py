"""A database that hangs: the web side says so within seconds, and goes on answering what needs no database."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import requests

from app.database.connections import ANSWER_SECONDS, POOL_SECONDS, database
from tests.app.database.test_connections import signal_servers
from tests.support.receiver import ReceiverProcess, configuration

if TYPE_CHECKING:
    from pathlib import Path

BROKER = "http://broker.example.org"
PACT = f"{BROKER}/pacts/provider/Products/consumer/Storefront/latest"
PROMPT_SECONDS = 2.0


def test_a_frozen_database_is_503_within_seconds_and_holds_nobody_else_up(
    tmp_path: Path, data_dir: Path
) -> None:
    config = configuration(
        BROKER, {"base_url": "http://127.0.0.1:1", "version": "1"}, server={"processes": 1, "connections": 2}
    )
    with (
        database(None, data_dir) as url,
        ReceiverProcess(tmp_path, config, command="web", database_url=url) as web,
    ):
        assert web.dispatch(PACT).status_code == 204
        answers: list[tuple[int, float]] = []

        def dispatch(number: int) -> None:
            began = time.monotonic()
            status = web.dispatch(f"{PACT}?{number}").status_code
            answers.append((status, time.monotonic() - began))

        signal_servers(url, stop=True)
        try:
            senders = [threading.Thread(target=dispatch, args=(number,)) for number in range(6)]
            for sender in senders:
                sender.start()
            while any(sender.is_alive() for sender in senders):
                answer = requests.get(f"{web.url}/healthz", timeout=PROMPT_SECONDS)
                assert answer.json() == {"status": "ok"}
        finally:
            signal_servers(url, stop=False)
            for sender in senders:
                sender.join()

        assert [status for status, _ in answers] == [503] * 6
        assert max(seconds for _, seconds in answers) < POOL_SECONDS + ANSWER_SECONDS + 6
        web.wait_until(lambda: web.dispatch(PACT).status_code == 204, "it is back")
