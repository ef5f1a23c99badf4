"""The page of the system: what was configured, without a secret, what there is, and who did what."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from app.records import actions, sightings
from app.records.actions import ActionKind, Doer, Via
from app.records.sightings import Seen
from app.web.dashboard.system.page import size
from tests.app.web.conftest import TOKENS, WEBHOOK_SECRET
from tests.support.history_rows import add_history

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
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text.split("<main")[1])).split())


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
    signed_in: FlaskClient, database_url: str
) -> None:
    assert "Oldest run none" in shown(signed_in)
    add_history(database_url, runs=5, refused=1, days=12)
    text = shown(signed_in)
    assert "Oldest run 12 days ago Oldest delivery 12 days ago" in text
    assert re.search(r"runs 5 \d+\.\d KB", text)
    assert [size(number) for number in (0, 2048, 5 * 2**20, 3 * 2**30)] == [
        "0 B",
        "2.0 KB",
        "5.0 MB",
        "3.0 GB",
    ]


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
