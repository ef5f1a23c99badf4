"""A database that hangs: the web side says so within seconds, and goes on answering what needs no database."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import requests

from app.database.connections import database
from tests.app.database.test_connections import signal_servers
from tests.support.processes import TIME_LIMIT
from tests.support.receiver import ReceiverProcess, configuration

if TYPE_CHECKING:
    from pathlib import Path

BROKER = "http://broker.example.org"
PACT = f"{BROKER}/pacts/provider/Products/consumer/Storefront/latest"


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
        answers: list[int] = []
        served_meanwhile = 0

        def dispatch(number: int) -> None:
            answers.append(web.dispatch(f"{PACT}?{number}").status_code)

        signal_servers(url, stop=True)
        try:
            senders = [threading.Thread(target=dispatch, args=(number,)) for number in range(6)]
            for sender in senders:
                sender.start()
            while any(sender.is_alive() for sender in senders):
                answer = requests.get(f"{web.url}/healthz", timeout=TIME_LIMIT)
                assert answer.json() == {"status": "ok"}
                served_meanwhile += not answers
        finally:
            signal_servers(url, stop=False)
            for sender in senders:
                sender.join()

        assert answers == [503] * 6
        assert served_meanwhile, "who needs no database had to wait for those who did"
        web.wait_until(lambda: web.dispatch(PACT).status_code == 204, "it is back")
