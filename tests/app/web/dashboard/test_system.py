"""The page of the system: what was configured, without a secret, what there is, and who did what."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest

from app.records import actions, processes, sightings
from app.records.actions import ActionKind, Doer, Via
from app.records.processes import Kind, ProcessState
from app.records.sightings import Seen
from app.web.dashboard.system import query
from app.web.dashboard.system.page import size
from app.web.dashboard.system.query import read
from tests.app.web.conftest import TOKENS, WEBHOOK_SECRET
from tests.support.history_rows import add_history
from tests.support.shown import words_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def database(pool: ConnectionPool[Any]) -> Iterator[Connection[Any]]:
    with pool.connection() as connection:
        connection.autocommit = True
        yield connection
        connection.autocommit = False


@pytest.fixture
def signed_in(client: FlaskClient) -> FlaskClient:
    client.post("/sign-in", data={"token": "a-token-that-only-reads"})
    return client


def shown(client: FlaskClient) -> str:
    """The text of the page."""
    answer = client.get("/system")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<table>" not in answer.text, "a table that has no room on a telephone is cards there"
    return words_in(answer.text.split("<main")[1])


def test_the_configuration_is_shown_as_it_was_understood_without_a_secret(signed_in: FlaskClient) -> None:
    text = shown(signed_in)
    for part in (
        "Broker http://broker.example.org/base Event types contract_requiring_verification_published,",
        "May dispatch broker, team (for a/other alone) May use /api me, grafana (reading alone)",
        "GitHub's events signed GitHub not used",
        "1 provider , each with its configuration on its page",
        "broker dispatches all repositories team dispatches a/other",
        "me the API and these pages reads and acts grafana the API and these pages only reads",
        "Kept 30 days",
        "Kept 30 days; of each run's log 256 KB",
        "Not asked yet",
        "Nobody has done anything",
        "GitHub has taken every status",
    ):
        assert part in text
    for secret in (*re.findall(r":([a-z-]+)", ",".join(TOKENS.values())), WEBHOOK_SECRET):
        assert secret not in text
    assert re.search(r"Python 3\.\d+\.\d+", text)
    assert re.search(r"pact-dispatch \d", text)
    assert re.search(r"PostgreSQL \d+", text)


def test_the_database_is_shown_with_its_large_tables_and_how_old_it_is(
    signed_in: FlaskClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Oldest run none" in shown(signed_in)
    add_history(database_url, runs=5, refused=1, days=12)
    text = shown(signed_in)
    assert "Oldest run 12 days ago Oldest delivery 12 days ago" in text
    assert re.search(r"runs 5 \d+\.\d KB", text)
    with psycopg.connect(database_url) as connection:
        # the database has looked at the table when it was empty, and not since
        connection.execute("UPDATE pg_class SET reltuples = 0 WHERE relname = 'runs'")
        assert next(one.rows for one in read(connection).tables if one.name == "runs") == 5
        connection.execute("UPDATE pg_class SET reltuples = 70 WHERE relname = 'runs'")
        monkeypatch.setattr(query, "COUNTED_BYTES", 0)
        assert next(one.rows for one in read(connection).tables if one.name == "runs") == 70
        connection.execute("UPDATE pg_class SET reltuples = 0 WHERE relname = 'runs'")
        assert next(one.rows for one in read(connection).tables if one.name == "runs") is None
    assert [size(number) for number in (0, 2048, 5 * 2**20, 3 * 2**30)] == [
        "0 B",
        "2.0 KB",
        "5.0 MB",
        "3.0 GB",
    ]


def test_the_database_of_the_receiver_itself_is_named_by_its_folder(signed_in: FlaskClient) -> None:
    kept = signed_in.application.extensions
    kept["receiver"] = replace(kept["receiver"], database="embedded, in /data/postgres")
    assert "Database embedded, in /data/postgres Links" in shown(signed_in)


def test_what_people_did_and_what_github_refused_is_told(
    signed_in: FlaskClient, database: Connection[Any], database_url: str
) -> None:
    add_history(database_url, runs=1)
    row = database.execute("SELECT id FROM runs").fetchone()
    assert row is not None
    doer = Doer(HOSTILE, Via.DASHBOARD, "10.0.0.9")
    led_to = uuid4()
    actions.add(database, doer, ActionKind.RUN_AGAIN, provider="A", run_id=row[0], outcome_id=led_to)
    actions.add(database, doer, ActionKind.PAUSE, provider="A/B")
    actions.add(database, doer, ActionKind.REDELIVER, delivery_id=led_to, run_id=row[0], outcome_id=row[0])
    for number, result in enumerate(("refused", "given-up", "set")):
        database.execute(
            "INSERT INTO commit_statuses (run_id, repository, sha, context, state, description, result, error, "
            "attempts, finished_at) VALUES (%s, 'a/b', %s, 'pact/C', 'failure', 'd', %s, %s, 2, now())",
            [row[0], f"{number}" * 40, result, HOSTILE],
        )
    text = shown(signed_in)
    assert f"{HOSTILE} dashboard, 10.0.0.9 run again a run of A a run" in text
    assert "pause A/B" in text
    assert "redeliver a delivery a delivery" in text
    assert "given up after 2 attempts" in text
    assert "refused after 2 attempts" in text
    assert "22222222" not in text
    page = signed_in.get("/system").text
    assert f'href="/runs/{led_to}"' in page
    assert 'href="/providers/A%2FB"' in page


def test_what_the_workers_saw_is_told(signed_in: FlaskClient, database: Connection[Any]) -> None:
    sightings.note(database, Seen.BROKER, {"error": HOSTILE})
    sightings.note(database, Seen.GITHUB_TOKEN, {"expires": None})
    text = shown(signed_in)
    assert f"away {HOSTILE}" in text
    assert "GitHub names no date on which it expires" in text
    sightings.note(database, Seen.BROKER, {"error": None})
    expires = datetime.now(UTC) + timedelta(days=40, minutes=1)
    sightings.note(database, Seen.GITHUB_TOKEN, {"expires": expires.isoformat()})
    text = shown(signed_in)
    assert "Broker answers just now" in text
    assert "Expires in 1 month" in text


def test_processes_are_shown_with_what_differs_between_them(
    signed_in: FlaskClient, database: Connection[Any]
) -> None:
    assert "No process has told anything yet." in shown(signed_in)
    for number, state in enumerate(
        (
            ProcessState(Kind.WORKER, "one:1", "1.0", "aaaaaaaaaaaa", 60),
            ProcessState(
                Kind.WORKER, "two:1", "1.0", "aaaaaaaaaaaa", 60, restart=["worker.concurrency (4, now 8)"]
            ),
        )
    ):
        processes.note(database, UUID(int=number), state)
    text = shown(signed_in)
    assert "Not all processes" not in text
    assert "has a mistake" not in text
    assert re.search(
        r"worker two:1 .{,40} 1\.0 aaaaaaaaaaaa , taken .{,40} with its next start: worker\.con", text
    )
    other = ProcessState(Kind.WEB, "two:2", "1.1", "bbbbbbbbbbbb", 5, refused=f"conf.d/a.toml: {HOSTILE}")
    processes.note(database, UUID(int=2), other)
    text = shown(signed_in)
    assert "differ Not all processes have the same configuration" in text
    assert "differ Not all processes have the same version" in text
    assert re.search(
        r"web two:2 .{,40} 1\.1 differs bbbbbbbbbbbb differs , taken .{,40} refused a later one: conf\.d/a",
        text,
    )
    assert "The last change of the configuration has a mistake, and was not taken: correct it" in text
    processes.forget(database, UUID(int=2))
    database.execute(
        "UPDATE receiver_processes SET heard_at = now() - interval '2 minutes' WHERE name = 'one:1'"
    )
    assert "one:1" not in shown(signed_in)
