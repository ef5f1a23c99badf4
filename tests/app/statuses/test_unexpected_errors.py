"""Whatever goes wrong when a status is set ends that status alone, after the ordinary attempts; a real database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.config.settings import Settings
from app.database.connections import open_pool
from app.dispatch import Dispatch
from app.records import commit_statuses, run_changes, runs
from app.records.commit_statuses import StatusResult
from app.records.run_changes import RunChanges
from app.statuses.status_setter import StatusSetter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg_pool import ConnectionPool

    from app.records.commit_statuses import StoredStatus

SHA = "0123456789" * 4
BROKER = "http://broker.example.org/base"
SETTINGS = Settings.model_validate(
    {
        "broker": {"url": BROKER},
        "providers": [
            {"name": "P", "repository": "acme/p", "base_url": "http://127.0.0.1:1", "version": SHA}
        ],
        "github": {"statuses": True, "retry_seconds": [30]},
    }
)


class BrokenClient:
    """A client of GitHub with a mistake in it."""

    def __init__(self) -> None:
        self.times = 0

    def set_status(self, *_: Any, **__: Any) -> None:
        self.times += 1
        raise RuntimeError("nobody thought of this")


@pytest.fixture
def pool(patient_database_url: str) -> Iterator[ConnectionPool[Any]]:
    with open_pool(patient_database_url, size=2) as opened:
        yield opened


def stored(pool: ConnectionPool[Any], setter: StatusSetter) -> StoredStatus:
    """Start a run, and return its commit's status."""
    pact = f"{BROKER}/pacts/provider/P/consumer/C/version/1"
    with pool.connection() as connection:
        run_id, _ = run_changes.request(connection, "P", Dispatch("acme/p", "pact_changed", pact), lock=None)
        waiting = runs.get(connection, run_id)
        assert waiting is not None
        assert waiting.job_id is not None
        RunChanges(setter.follow).begin(connection, run_id, waiting.job_id, "worker")
    return read(pool, run_id)


def read(pool: ConnectionPool[Any], run_id: Any) -> StoredStatus:
    with pool.connection() as connection:
        [status] = commit_statuses.of_run(connection, run_id)
    return status


def test_an_unexpected_exception_is_tried_again_and_then_ends_the_status_with_a_reason(
    pool: ConnectionPool[Any],
) -> None:
    client = BrokenClient()
    setter = StatusSetter(SETTINGS, client)  # type: ignore[arg-type]
    status = stored(pool, setter)

    setter.carry_out(pool, status.id)

    tried = read(pool, status.run_id)
    assert (tried.result, tried.attempts) == (StatusResult.WAITING, 1)
    assert tried.job_id != status.job_id
    with pool.connection() as connection:
        connection.execute("UPDATE commit_statuses SET created_at = created_at - interval '30 days'")
    setter.carry_out(pool, status.id)

    ended = read(pool, status.run_id)
    assert (ended.result, ended.attempts) == (StatusResult.GIVEN_UP, 2)
    assert ended.error == "an unexpected RuntimeError: nobody thought of this"
    setter.carry_out(pool, status.id)
    assert client.times == 2


def test_a_database_that_goes_away_leaves_the_status_for_a_later_job(
    pool: ConnectionPool[Any], database_url: str
) -> None:
    class Terminating:
        def set_status(self, *_: Any, **__: Any) -> None:
            with psycopg.connect(database_url) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            raise psycopg.OperationalError("the connection is lost")

    setter = StatusSetter(SETTINGS, Terminating())  # type: ignore[arg-type]
    status = stored(pool, setter)
    with pytest.raises(psycopg.OperationalError):
        setter.carry_out(pool, status.id)
    assert read(pool, status.run_id).result == StatusResult.WAITING
