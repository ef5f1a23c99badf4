"""Being told, with real processes: a provider breaks and heals, and each is told once, whatever happens to workers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.pacts import interaction, pact
from tests.support.processes import EmbeddedBroker
from tests.support.receiver import ReceiverProcess, configuration
from tests.support.running import scripted_provider
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPOSITORY = "acme/things"
GOOD = interaction("a thing", "/things/1", body={"id": 1})
BROKEN = interaction("another thing", "/things/2", body={"id": "two"})
SECRET = "T0K3N-in-the-path"
COLLECT_SECONDS = 60
"""Longer than it takes to kill a worker that has noted something to tell; then the test lets that time pass."""


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with scripted_provider() as url:
        yield url


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as server:
        yield server


def receiver(
    folder: Path, broker: EmbeddedBroker, target: Target, database_url: str, base_url: str
) -> ReceiverProcess:
    config = configuration(
        broker.url,
        {
            "name": "Things",
            "repository": REPOSITORY,
            "base_url": base_url,
            "health_path": "/health",
            "version": "1",
        },
        worker={"retry_seconds": [0.3], "stop_seconds": 0.5},
        server={"processes": 1, "public_url": "https://pacts.acme.example/", "share_links": True},
        reconcile={"minutes": 0},
        notify={"collect_seconds": COLLECT_SECONDS, "interval_seconds": 0},
    )
    config += (
        '[[notify.targets]]\nslack = { env = "SLACK_URL" }\n[[notify.targets]]\nurl = { env = "HOOK" }\n'
    )
    urls = {"SLACK_URL": f"{target.url}/slack/{SECRET}", "HOOK": f"{target.url}/hook?sig={SECRET}"}
    return ReceiverProcess(folder, config, database_url=database_url, environment=urls)


def dispatch(
    server: ReceiverProcess, broker: EmbeddedBroker, version: str, *interactions: dict[str, Any]
) -> None:
    broker.publish(pact(*interactions), version, branch="main" if "feature" not in version else version)
    url = f"{broker.url}/pacts/provider/Things/consumer/Storefront/version/{version}"
    before = len(server.runs())
    assert server.dispatch(url, repository=REPOSITORY).status_code == 204
    server.wait_for_runs(before + 1)


def wait_until_told(server: ReceiverProcess, target: Target, number: int) -> None:
    """Let the time pass in which changes are collected, and wait for so many messages."""

    def told() -> bool:
        server.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now() "
            "WHERE task_name = 'notice-changes' AND status = 'todo' AND scheduled_at > now()"
        )
        return len(target.received) >= number

    server.wait_until(told, f"{number} messages have come")


def hooks(target: Target) -> list[dict[str, Any]]:
    """What the plain target got."""
    return [json.loads(one.body) for one in target.received if one.path.startswith("/hook")]


def test_a_provider_breaks_and_heals_and_each_is_told_once_whatever_is_killed(
    broker: EmbeddedBroker, provider: str, database_url: str, tmp_path: Path
) -> None:
    with (
        Target() as target,
        receiver(tmp_path, broker, target, database_url, provider) as server,
    ):
        dispatch(server, broker, "1", GOOD)
        dispatch(server, broker, "2-feature", GOOD, BROKEN)  # nobody is told of a branch that isn't merged
        dispatch(server, broker, "3", GOOD, BROKEN)
        assert not target.received
        for worker in server.workers():  # it has noted what broke, and not told it
            worker.kill()
        wait_until_told(server, target, 2)
        [broken] = hooks(target)
        assert (broken["events"], broken["title"]) == (["broken"], "Things: 1 pact broken")
        [change] = broken["changes"]
        assert (change["consumer"], change["consumer_version"]) == ("Storefront", "3")
        assert change["url"].startswith(f"https://pacts.acme.example/runs/{change['run_id']}?shared=")
        dispatch(server, broker, "4", GOOD, BROKEN)
        dispatch(server, broker, "5", GOOD)
        wait_until_told(server, target, 4)
        server.wait_until(
            lambda: server.rows(
                "SELECT 1 FROM notifications HAVING count(*) FILTER (WHERE result = 'sent') = 4"
            ),
            "all are noted",
        )
        assert [document["events"] for document in hooks(target)] == [["broken"], ["healed"]]
        assert len({document["id"] for document in hooks(target)}) == 2
        assert len(target.received) == 4
        assert not server.rows("SELECT 1 FROM notable_runs")
        shown = server.output() + str(server.rows("SELECT * FROM notifications"))
        assert SECRET not in shown
