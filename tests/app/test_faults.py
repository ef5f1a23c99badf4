"""What may go wrong around the receiver, with real processes: nothing that was accepted is lost."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from app.database import database
from tests.dispatch_storm import (
    NotingProvider,
    WorkerKiller,
    aftermath,
    noting_providers,
    publish_pacts,
    send,
)
from tests.processes import EmbeddedBroker
from tests.receiver import ReceiverProcess, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = {"stalled_seconds": 2.0, "retry_seconds": [0.2, 0.2], "publish_retry_seconds": [0.2]}
LONG = 120.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with EmbeddedBroker(folder) as started:
        yield started


def configured(broker_url: str, providers: list[NotingProvider], **worker: Any) -> str:
    return configuration(
        broker_url,
        *(provider.settings for provider in providers),
        worker={**QUICK, **worker},
        server={"processes": 1},
    )


def test_nothing_is_lost_and_nothing_overlaps_while_workers_are_killed(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    with noting_providers(tmp_path, 2) as providers:
        asked = publish_pacts(broker, providers, 60)
        config = configured(broker.url, providers)
        with (
            ReceiverProcess(tmp_path, config, "--workers", "2", database_url=database_url) as receiver,
            ThreadPoolExecutor(1) as beside,
        ):
            with WorkerKiller(receiver, every=0.6, most=3) as killer:
                sending = beside.submit(
                    send, receiver.url, asked, clients=4, deadline=time.monotonic() + LONG
                )
                receiver.wait_until(lambda: killer.over, "three workers were killed", within=LONG)
                sending.result()
            receiver.wait_for_runs(len(asked), within=LONG)
            found = aftermath(receiver, broker, providers, asked)

    assert found.lost == ()
    assert found.overlaps == ()


def test_two_runs_of_one_provider_at_once_would_be_noticed(tmp_path: Path) -> None:
    provider = NotingProvider("Provider0", "http://127.0.0.1:1", tmp_path / "notes")

    def overlaps(*lines: str) -> int:
        provider.notes.write_text("".join(f"1.0 {line}\n" for line in lines), encoding="utf-8")
        return len(provider.overlaps())

    def step(number: int, pact: int) -> tuple[str, str]:
        return f"begin /things/{number}/{pact}", f"end /things/{number}/{pact}"

    assert overlaps(*step(0, 7), *step(1, 7), *step(0, 8), *step(1, 8), *step(0, 7)) == 0
    assert overlaps(*step(0, 7), *step(0, 8), *step(1, 7)) == 1
    assert overlaps(*step(0, 7), *step(0, 7), *step(1, 7), *step(1, 7)) == 1
    assert overlaps(step(0, 7)[0], *step(0, 8)) == 1


def test_while_the_database_is_away_nothing_is_accepted_and_nothing_is_lost(
    tmp_path: Path, data_dir: Path, broker: EmbeddedBroker
) -> None:
    with noting_providers(tmp_path, 1) as providers:
        asked = publish_pacts(broker, providers, 30)
        with database(None, data_dir) as url:
            receiver = ReceiverProcess(tmp_path, configured(broker.url, providers), database_url=url)
            receiver.start()
            send(receiver.url, asked[:20], clients=4, deadline=time.monotonic() + LONG)
        try:
            answer = receiver.dispatch(asked[20].pact_url, repository=asked[20].repository)
            with database(None, data_dir):
                assert send(receiver.url, asked[20:], clients=4, deadline=time.monotonic() + LONG) >= 0
                receiver.wait_for_runs(len(asked), within=LONG)
                found = aftermath(receiver, broker, providers, asked)
                assert receiver.stop() == 0
        finally:
            receiver.stop()

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert (found.lost, found.overlaps) == ((), ())
