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
    from datetime import datetime
    from uuid import UUID

    from app.records.commit_statuses import StoredStatus

SHA = "0" * 40
PACT = "http://broker.example.org/pacts/provider/A/consumer/C/latest"


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as opened:
        yield opened


def set_at_last(connection: psycopg.Connection[Any], status: StoredStatus, began: datetime) -> None:
    commit_statuses.finish_as_set(connection, status, began)


def fail(connection: psycopg.Connection[Any], status: StoredStatus, _: datetime) -> None:
    commit_statuses.try_again(connection, status, "no answer in time", wait=0)


def give_up(connection: psycopg.Connection[Any], status: StoredStatus, _: datetime) -> None:
    commit_statuses.finish(connection, status, StatusResult.GIVEN_UP, "no answer in time")


def stored(connection: psycopg.Connection[Any], *states: CommitState) -> UUID:
    with connection.transaction():
        run, _ = run_changes.request(connection, "A", Dispatch("a/b", "pact_changed", PACT), lock=None)
    for state in states:
        add(connection, run, state)
    return run


def add(connection: psycopg.Connection[Any], run: UUID, state: CommitState) -> None:
    with connection.transaction():
        status = CommitStatus(SHA, "pact", state, state.value)
        commit_statuses.add(connection, run, status, repository="a/b", target_url=None)


def begin(connection: psycopg.Connection[Any], status: StoredStatus) -> datetime:
    found = commit_statuses.begin(connection, status.id)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("end", [set_at_last, fail, give_up])
@pytest.mark.parametrize(
    ("by_another", "late"),
    [
        (StatusResult.SUPERSEDED, True),
        (StatusResult.SUPERSEDED, False),
        (StatusResult.SET, True),
        (StatusResult.SET, False),
        (StatusResult.WAITING, True),
        (StatusResult.WAITING, False),
    ],
)
def test_the_newest_status_is_set_again_after_a_late_end_of_an_older_one(
    connection: psycopg.Connection[Any], end: Callable[..., None], *, late: bool, by_another: StatusResult
) -> None:
    """A worker was frozen while it set the older one, and taken for dead; GitHub may have got it last.

    Meanwhile another worker may have done something with it, and has set the newest one, or is just about to.
    """
    run = stored(connection, CommitState.PENDING)
    [older] = commit_statuses.of_run(connection, run)
    began = begin(connection, older)
    if by_another == StatusResult.SET:  # the other worker has set it too
        with connection.transaction():
            commit_statuses.finish_as_set(connection, older, begin(connection, older))
    add(connection, run, CommitState.SUCCESS)
    if by_another == StatusResult.SUPERSEDED:
        assert commit_statuses.begin(connection, older.id) is None
    older, newest = commit_statuses.of_run(connection, run)
    newest_began = begin(connection, newest)

    def newest_is_set() -> None:
        with connection.transaction():
            commit_statuses.finish_as_set(connection, newest, newest_began)

    if late:
        newest_is_set()
    with connection.transaction():
        end(connection, older, began)
    if not late:
        newest_is_set()

    _, again = commit_statuses.of_run(connection, run)
    assert again.result == StatusResult.WAITING
    assert again.job_id not in {None, newest.job_id}
    with connection.transaction():
        commit_statuses.finish_as_set(connection, again, begin(connection, again))
    assert commit_statuses.of_run(connection, run)[1].result == StatusResult.SET


@pytest.mark.parametrize("end", [fail, give_up])
def test_what_another_worker_has_stored_of_a_status_stands(
    connection: psycopg.Connection[Any], end: Callable[..., None]
) -> None:
    run = stored(connection, CommitState.PENDING)
    [status] = commit_statuses.of_run(connection, run)
    began = begin(connection, status)
    add(connection, run, CommitState.SUCCESS)
    assert commit_statuses.begin(connection, status.id) is None

    with connection.transaction():
        end(connection, status, began)

    superseded, newest = commit_statuses.of_run(connection, run)
    assert (superseded.result, superseded.error) == (StatusResult.SUPERSEDED, None)
    assert (newest.result, newest.attempts) == (StatusResult.WAITING, 0)


def test_statuses_that_are_set_in_their_order_are_set_once(connection: psycopg.Connection[Any]) -> None:
    run = stored(connection)
    for state in (CommitState.PENDING, CommitState.SUCCESS):
        add(connection, run, state)
        status = commit_statuses.of_run(connection, run)[-1]
        began = begin(connection, status)
        with connection.transaction():
            commit_statuses.finish_as_set(connection, status, began)

    assert [(one.result, one.attempts) for one in commit_statuses.of_run(connection, run)] == [
        (StatusResult.SET, 1)
    ] * 2


def test_a_clock_that_is_set_back_has_the_newest_status_set_once(connection: psycopg.Connection[Any]) -> None:
    run = stored(connection, CommitState.PENDING)
    [older] = commit_statuses.of_run(connection, run)
    with connection.transaction():
        commit_statuses.finish_as_set(connection, older, begin(connection, older))
    connection.execute("UPDATE commit_statuses SET finished_at = now() + interval '1 hour'")
    add(connection, run, CommitState.SUCCESS)
    newest = commit_statuses.of_run(connection, run)[1]
    began = begin(connection, newest)
    with connection.transaction():
        commit_statuses.finish_as_set(connection, newest, began)

    assert commit_statuses.of_run(connection, run)[1].result == StatusResult.SET
