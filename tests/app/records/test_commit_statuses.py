"""Commit statuses in the database: which one GitHub has at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.dispatch import Dispatch
from app.records import commit_statuses, run_changes
from app.records.commit_statuses import CommitState, CommitStatus, StatusResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from app.records.commit_statuses import StoredStatus

SHA = "0" * 40
PACT = "http://broker.example.org/pacts/provider/A/consumer/C/latest"


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as opened:
        yield opened


def fail(connection: psycopg.Connection[Any], status: StoredStatus, _: Any) -> None:
    commit_statuses.try_again(connection, status, "no answer in time", wait=0)


@pytest.mark.parametrize("end", [fail, commit_statuses.finish_as_set])
def test_the_newest_status_is_set_again_after_a_late_end_of_an_older_one(
    connection: psycopg.Connection[Any], end: Callable[..., None]
) -> None:
    """A worker was frozen while it set the older one, and taken for dead; GitHub may have got it last."""
    with connection.transaction():
        run, _ = run_changes.request(connection, "A", Dispatch("a/b", "pact_changed", PACT), lock=None)
        for state in (CommitState.PENDING, CommitState.SUCCESS):
            status = CommitStatus(SHA, "pact", state, state.value)
            commit_statuses.add(connection, run, status, repository="a/b", target_url=None)
    older, newest = commit_statuses.of_run(connection, run)
    found = commit_statuses.begin(connection, newest.id)
    assert found is not None
    began = found[1]
    with connection.transaction():
        commit_statuses.finish_as_set(connection, newest, began)
    assert commit_statuses.begin(connection, older.id) is None  # the other worker leaves it alone

    with connection.transaction():
        end(connection, older, began)

    older, again = commit_statuses.of_run(connection, run)
    assert again.result == StatusResult.WAITING
    assert again.job_id not in {None, newest.job_id}
    assert older.result in {StatusResult.SUPERSEDED, StatusResult.SET}
