"""What grows with each delivery is deleted after a time, and nothing else."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from app.cli import main
from broker.embedded.deliveries import pruning
from broker.embedded.storage.database import Database
from tests.support.processes import EmbeddedBroker
from tests.support.webhook_documents import OPEN, all_are, create, wait_for, webhook
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from pathlib import Path

LATER = ("--webhook-retry-seconds", "3600")


def counts(broker: EmbeddedBroker) -> dict[str, int]:
    with sqlite3.connect(broker.database) as connection:
        found = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("triggered_webhooks", "webhook_executions", "publication_events", "publications")
        }
    connection.close()
    return found


def test_old_deliveries_are_deleted_and_what_is_due_stays(
    tmp_path: Path, pact: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "AT_ONCE", 2)
    with Target() as target, EmbeddedBroker(tmp_path, *OPEN, *LATER) as broker:
        create(broker, webhook(f"{target.url}/hook", "contract_published"))
        for _ in range(5):
            broker.publish(pact, "1", branch="main")
            wait_for(broker, all_are("success"))
        target.status = 503
        broker.publish(pact, "2", branch="main")
        target.wait_for(6)
        wait_for(broker, lambda found: "retrying" in {one["status"] for one in found})
        before = counts(broker)
        broker.stop()
        with sqlite3.connect(broker.database) as connection:
            for table in ("triggered_webhooks", "webhook_executions", "publication_events"):
                connection.execute(f"UPDATE {table} SET created_at = '2000-01-01T00:00:00+00:00'")
        connection.close()
        database = Database(broker.database)
        pruning.prune(database, days=40_000)
        assert counts(broker) == before
        pruning.prune(database, days=90)
        database.close()
    assert counts(broker) == {
        "triggered_webhooks": 1,
        "webhook_executions": 1,
        "publication_events": 2,
        "publications": 2,
    }


@pytest.mark.parametrize("days", ["0", "-1", "x", "nan", "1e9"])
def test_other_days_are_refused(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["broker", "--webhook-history-days", days])
    assert refused.value.code == 2
    assert "is neither a number of days up to 36500 nor 'none'" in capsys.readouterr().err


def test_the_broker_does_so_when_it_starts(tmp_path: Path, pact: dict[str, Any]) -> None:
    with Target() as target:
        with EmbeddedBroker(tmp_path, *OPEN) as broker:
            create(broker, webhook(f"{target.url}/hook", "contract_published"))
            broker.publish(pact, "1", branch="main")
            wait_for(broker, all_are("success"))
        with sqlite3.connect(broker.database) as connection:
            connection.execute("UPDATE triggered_webhooks SET created_at = '2000-01-01T00:00:00+00:00'")
        connection.close()
        with EmbeddedBroker(tmp_path, *OPEN, "--webhook-history-days", "none") as kept:
            kept.publish(pact, "2", branch="main")
            wait_for(kept, all_are("success"))
            assert counts(kept)["triggered_webhooks"] == 2
        with EmbeddedBroker(tmp_path, *OPEN, "--webhook-history-days", "1.5") as again:
            # The threads delete what is old before they deliver.
            wait_for(again, lambda _: counts(again)["triggered_webhooks"] == 1)
