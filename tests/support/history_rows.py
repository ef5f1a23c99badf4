"""Deliveries and runs written straight into the database: more of them, and older ones, than a test can dispatch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from app.records import retention

if TYPE_CHECKING:
    from psycopg import Connection

RUNS = """
INSERT INTO runs (id, key, provider, repository, event_type, reason, pact_url, consumer, consumer_version,
    status, outcome, attempt, provider_version, interactions, verification, publishing, publish_attempts, result_url,
    created_at, started_at, verified_at, finished_at)
SELECT gen_random_uuid(), 'key ' || n, 'Provider ' || n %% 10, 'acme/provider-' || n %% 10, 'pact_changed',
    'dispatched',
    'http://broker.example.org/base/pacts/provider/P/consumer/C/version/' || n, 'Consumer ' || n %% 200, n::text,
    'finished', (ARRAY['passed', 'passed', 'passed', 'failed', 'error'])[1 + n %% 5], 1, 'abc', 10,
    jsonb_build_object('outcome', 'passed', 'interactions', jsonb_build_array(
        jsonb_build_object('index', 0, 'description', repeat(md5(n::text), 30)))),
    'published', 1 + (n %% 7 = 0)::int, 'http://broker.example.org/base/result/' || n,
    made, made, made + n %% 9000 * interval '1 millisecond', made + interval '10 seconds'
FROM (SELECT n, now() - %(days)s * interval '1 day' - n * interval '1 second' AS made
      FROM generate_series(1, %(number)s) AS n) AS numbers
"""
LOGS = "INSERT INTO run_logs SELECT id, repeat('a line of the log\n', 20) FROM runs ON CONFLICT DO NOTHING"
DELIVERIES = """
INSERT INTO deliveries (id, received_at, source, sender, repository, event_type, payload, status, run_id, coalesced)
SELECT gen_random_uuid(), created_at, 'api', 'broker', repository, event_type,
    jsonb_build_object('event_type', event_type, 'client_payload', jsonb_build_object('pact_url', pact_url)), 204, id,
    false
FROM runs WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE run_id = runs.id)
"""
REFUSED = """
INSERT INTO deliveries (id, received_at, source, repository, status, refusal, detail)
SELECT gen_random_uuid(), now() - %(days)s * interval '1 day' - n * interval '1 second', 'api', 'acme/nothing', 404,
    'unknown-repository', 'no provider has it'
FROM generate_series(1, %(number)s) AS n
"""


def add_history(database_url: str, *, runs: int, refused: int = 0, days: float = 0) -> None:
    """Add finished runs with a delivery and a log each, and refused deliveries; the newest of them so many days old."""
    with psycopg.connect(database_url) as connection:
        connection.execute(RUNS, {"number": runs, "days": days})
        connection.execute(LOGS)
        connection.execute(DELIVERIES)
        connection.execute(REFUSED, {"number": refused, "days": days})
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ANALYZE")


def delete_old(connection: Connection[Any], days: float, *, most: int = 500) -> int:
    """Do what retention does, and return how many rows of the history it has deleted."""
    found = 0
    for step in (*retention.SHOWN, *retention.HISTORY):
        deleted = -1
        while deleted:
            with connection.transaction():
                deleted = step(connection, days, most)
            found += deleted if step in retention.HISTORY else 0
    return found
