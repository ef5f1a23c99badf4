"""Single runs written straight into the database, as they may stand after anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

DEFAULTS = {
    "provider": "A",
    "repository": "a/b",
    "event_type": "pact_changed",
    "reason": "dispatched",
    "pact_url": "http://b/x",
    "consumer": "C",
    "consumer_version": "1",
    "status": "finished",
    "outcome": "passed",
}


def id_of(number: int) -> str:
    """Return the id of a run of `add_run`."""
    return f"00000000-0000-4000-8000-{number:012}"


def add_run(pool: ConnectionPool[Any], number: int, *, hours: float | None = None, **values: Any) -> None:
    """Add a run.

    Args:
        pool: The database.
        number: Its number, of which its id is made.
        hours: How long ago it was asked for; its number unless given.
        values: The values of its columns, other than the usual ones.
    """
    age = number if hours is None else hours
    values = {**DEFAULTS, "id": id_of(number), "key": f"key {number}", **values}
    query = sql.SQL("INSERT INTO runs (created_at, {}) VALUES (now() - {} * interval '1 hour', {})").format(
        sql.SQL(", ").join(map(sql.Identifier, values)), age, sql.SQL(", ").join(map(sql.Placeholder, values))
    )
    with pool.connection() as connection:
        connection.execute(query, values)
