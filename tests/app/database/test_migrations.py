"""What a migration does with what an older version has stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest

from app.database.connections import migrate
from app.dispatch import Dispatch
from app.records import deliveries, run_changes
from app.records.deliveries import Accepted, IncomingDelivery, Source
from broker.text.secret_names import STARS
from tests.support.taking import end, take, take_as_before

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

PACT = "http://broker.example.org/pacts/provider/P/consumer/C/latest"


@pytest.fixture
def before_0008(database_url: str) -> Iterator[Connection[Any]]:
    """A connection to the tables as they were before `0008_deliveries_once.sql`."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in (
            "ALTER TABLE deliveries DROP COLUMN user_agent, DROP COLUMN repeats",
            "ALTER TABLE relays DROP COLUMN redacted",
            "ALTER TABLE uncounted_deliveries DROP COLUMN repeated",
            (
                "CREATE OR REPLACE FUNCTION count_delivery() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "INSERT INTO uncounted_deliveries VALUES (NEW.source, NEW.refusal, NEW.coalesced); RETURN NULL; END; $$"
            ),
            "DROP INDEX runs_of_pact",
            "CREATE INDEX runs_of_pact ON runs (pact_url, created_at DESC)",
            "DELETE FROM schema_versions WHERE name = 'app/0008_deliveries_once.sql'",
        ):
            connection.execute(statement.encode())
        yield connection


def add_delivery(connection: Connection[Any], number: int, github_id: str | None, **values: Any) -> None:
    row = {"id": UUID(int=number), "source": "github", "status": 204, "github_id": github_id, **values}
    columns, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    connection.execute(f"INSERT INTO deliveries ({columns}) VALUES ({places})".encode(), row)


def test_deliveries_that_were_carried_out_several_times_count_once(
    database_url: str, before_0008: Connection[Any]
) -> None:
    for number in (1, 2, 3):
        add_delivery(before_0008, number, "one")
    add_delivery(before_0008, 4, "two", refusal="invalid")
    add_delivery(before_0008, 5, "two")
    add_delivery(before_0008, 6, "x" * 2000)
    add_delivery(before_0008, 7, None)
    add_delivery(before_0008, 8, None)

    migrate(database_url)

    repeats = before_0008.execute("SELECT id, repeats FROM deliveries ORDER BY id").fetchall()
    assert [None if first is None else first.int for _, first in repeats] == [None, 1, 1, *[None] * 5]
    again = IncomingDelivery(Source.GITHUB, github_id="two")
    found = deliveries.accept(before_0008, again, Dispatch("a/b", "e", PACT), provider="P", lock=None)
    assert found == deliveries.Repeated(UUID(int=5), None)


def test_what_was_passed_on_loses_its_secrets(database_url: str, before_0008: Connection[Any]) -> None:
    whole = f'{{"pact_url": "{PACT}", "token": "hidden-value", "nul": "\\u0000"}}'
    kept = f'{{"client_payload": {{"pact_url": "{PACT}", "token": "{STARS}", "nul": "?"}}}}'
    for number, (relayed_at, payload) in enumerate((("now", kept), (None, kept), ("now", None)), start=1):
        run = {"id": UUID(int=number), "key": str(number), "url": PACT}
        before_0008.execute(
            "INSERT INTO runs (id, key, provider, repository, event_type, reason, pact_url, status) "
            "VALUES (%(id)s, %(key)s, 'P', 'a/b', 'e', 'dispatched', %(url)s, 'finished')",
            run,
        )
        before_0008.execute(
            "INSERT INTO relays (run_id, client_payload, relayed_at) VALUES (%s, %s, %s)",
            (run["id"], whole, relayed_at),
        )
        add_delivery(before_0008, number, None, source="api", payload=payload, run_id=run["id"])

    migrate(database_url)

    rows = before_0008.execute("SELECT client_payload::text, redacted FROM relays ORDER BY run_id").fetchall()
    assert [("hidden-value" in text, redacted) for text, redacted in rows] == [
        (False, True),
        (True, False),  # not passed on yet
        (True, False),  # nothing else was kept of it: it is deleted with its run
    ]


def test_the_longest_urls_are_taken(database_url: str, before_0008: Connection[Any]) -> None:
    migrate(database_url)
    url = f"{PACT}?{''.join(map(chr, range(0x20000, 0x20000 + 7900)))}"
    accepted = deliveries.accept(
        before_0008, IncomingDelivery(Source.API), Dispatch("a/b", "e", url), provider="P", lock=None
    )
    assert isinstance(accepted, Accepted)


def test_what_waits_already_gets_its_turn(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in (
            "DROP TRIGGER give_turn_to_new_job ON procrastinate_jobs",
            "DROP TRIGGER give_turn_to_changed_job ON procrastinate_jobs",
            "DROP TRIGGER note_provider_of_job ON procrastinate_jobs",
            "DROP FUNCTION fetch_run, fetch_chore, first_of_line, give_turn, note_provider_of_job",
            "DROP TABLE queue_turns",
            "DROP SEQUENCE queue_turn_numbers",
            "ALTER TABLE procrastinate_jobs DROP COLUMN provider",
            "DROP INDEX waiting_chores",
            "CREATE INDEX runs_open ON runs (status) WHERE status IN ('waiting', 'running')",
            "DELETE FROM schema_versions WHERE name = 'app/0017_turns.sql'",
        ):
            connection.execute(statement.encode())
        for number, (provider, lock) in enumerate((("A", "provider A"), ("P", None)) * 2):
            pact = f"{PACT}?{number}"
            run_changes.request(connection, provider, Dispatch("a/b", "e", pact), lock=lock)
        taken_before = take_as_before(connection)

        migrate(database_url)

        lines = connection.execute("SELECT line, provider FROM queue_turns ORDER BY number").fetchall()
        assert lines == [("parallel P", "P"), ("provider A", None)]
        assert taken_before is not None
        assert [take(connection, limits={"P": 1}) is not None for _ in range(2)] == [True, False]
        end(connection, taken_before.id)
        second = take(connection, limits={"P": 1})
        assert second is not None
        assert second.lock == "provider A"
