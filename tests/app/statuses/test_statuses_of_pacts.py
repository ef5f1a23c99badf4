"""The commit statuses of a run for every pact: several pacts of one consumer share a context; a real database."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from app.config.settings import Settings
from app.dispatch import Dispatch
from app.records import commit_statuses, run_changes, runs
from app.records.run import Failure
from app.records.run_changes import RunChanges
from app.statuses.status_setter import StatusSetter
from tests.support.worker_parts import a_run, passed
from verifier.errors import ErrorKind
from verifier.verification import Outcome, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from app.records.run import Run

SHA = "0123456789" * 4
BROKER = "http://broker.example.org"
SETTINGS = Settings.model_validate(
    {
        "broker": {"url": BROKER},
        "providers": [
            {"name": "P", "repository": "acme/p", "base_url": "http://127.0.0.1:1", "version": SHA}
        ],
        "github": {"statuses": True},
    }
)


@pytest.fixture
def database(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def changes() -> RunChanges:
    return RunChanges(StatusSetter(SETTINGS, object()).follow)  # type: ignore[arg-type]


@pytest.fixture
def parent(database: Connection[Any], changes: RunChanges) -> Run:
    asked = Dispatch("acme/p", "provider_changed", None, SHA)
    run_id, _ = run_changes.request(database, "P", asked, lock=None)
    waiting = runs.get(database, run_id)
    assert waiting is not None
    assert waiting.job_id is not None
    begun = changes.begin(database, run_id, waiting.job_id, "worker")
    assert begun is not None
    return begun


def verified(
    database: Connection[Any],
    changes: RunChanges,
    parent: Run,
    outcome: Outcome = Outcome.PASSED,
    *,
    consumer: str = "A",
    pending: bool = False,
) -> Run:
    verification = replace(passed(a_run()), consumer=consumer, consumer_version="1", provider_version=SHA)
    if outcome is Outcome.FAILED:
        (result,) = verification.interactions
        verification = replace(verification, interactions=(replace(result, outcome=outcome),))
    if outcome is Outcome.ERROR:
        error = VerificationError(ErrorKind.NOT_A_PACT, "it is not a pact")
        verification = replace(verification, interactions=(), error=error)
    run = changes.verified_one(database, parent, verification.to_dict(), uuid4(), pending=pending)
    assert run is not None
    return run


def newest(database: Connection[Any], consumer: str = "A") -> tuple[str, str]:
    row = database.execute(
        "SELECT state, description FROM commit_statuses WHERE context = %s ORDER BY id DESC LIMIT 1",
        [f"pact/{consumer}"],
    ).fetchone()
    assert row is not None
    return str(row[0]), str(row[1])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("pending", [False, True])
def test_a_pact_that_passes_or_is_pending_hides_no_failure_of_the_same_consumer(
    database: Connection[Any], changes: RunChanges, parent: Run, order: tuple[int, int], *, pending: bool
) -> None:
    broken = verified(database, changes, parent, Outcome.FAILED)
    other = verified(
        database, changes, parent, Outcome.FAILED if pending else Outcome.PASSED, pending=pending
    )
    verified(database, changes, parent, consumer="B")
    for number in order:
        changes.published(database, (broken, other)[number], "http://broker.example.org/result")
    assert newest(database) == ("failure", "1 of 1 interaction of A 1 failed")
    assert newest(database, "B")[0] == "pending"
    # nothing is left that looks as if its status were still to come
    assert commit_statuses.runs_that_ended(database) == []


def test_a_pact_that_could_not_be_verified_is_not_hidden(
    database: Connection[Any], changes: RunChanges, parent: Run
) -> None:
    good = verified(database, changes, parent)
    verified(database, changes, parent, Outcome.ERROR)
    changes.published(database, good, "http://broker.example.org/result")
    assert newest(database) == ("error", "Could not verify: it is not a pact")


def test_a_failure_whose_result_the_broker_refuses_is_no_success(
    database: Connection[Any], changes: RunChanges, parent: Run
) -> None:
    broken = verified(database, changes, parent, Outcome.FAILED)
    good = verified(database, changes, parent)
    changes.not_published(database, broken, Failure("not-published", "no"), wait=None)
    changes.published(database, good, "http://broker.example.org/result")
    assert newest(database)[0] == "error"


def test_a_pending_pact_that_is_none_is_no_error_of_the_commit(
    database: Connection[Any], changes: RunChanges, parent: Run
) -> None:
    verified(database, changes, parent, Outcome.ERROR, pending=True)
    assert newest(database) == (
        "success",
        "The pact is pending, so that it could not be verified doesn't count: it is not a pact",
    )
