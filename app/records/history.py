"""Queries over many runs and deliveries: pages of lists, and the runs that a pact had already."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, LiteralString, TypeVar

from psycopg import sql
from psycopg.rows import class_row

from app.records.deliveries import LARGE, Delivery
from app.records.run import Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

Item = TypeVar("Item", Run, Delivery)

MOST_EARLIER_RUNS = 1000

_LARGE = LARGE | {"error_output"}
"""Columns that are not read for a list."""
_PREFIXES: dict[str, LiteralString] = {
    "pact_url": "left({column}, 500) = left({value}, 500) AND {column} = {value}"
}
"""The conditions for columns that may be too long for an index, which has the beginning of them."""
_NAMED: dict[tuple[str, str], LiteralString] = {
    ("answer", "2xx"): "refusal IS NULL",
    ("answer", "4xx"): "refusal IS NOT NULL",
}
"""The conditions of filters that are no columns, by the filter and its value."""
_RECONCILE_LOCK = 0x70616374_0003


@dataclass(frozen=True)
class Place:
    """The place of an item in a list.

    Attributes:
        at: The item's time.
        id: The item's id, which tells items of one time apart.
    """

    at: datetime
    id: UUID


@dataclass(frozen=True)
class Page(Generic[Item]):
    """A page of a list.

    Attributes:
        items: Its items, newest first, without their large columns.
        end: The place after which the next page begins; None if this is the last one.
    """

    items: list[Item]
    end: Place | None


@dataclass(frozen=True)
class EarlierRun:
    """A run that may be about a pact and a version of its provider.

    Attributes:
        id: The run's id.
        pact_url: The pact's URL; None of a run for several.
        pact_urls: Those that it is for; None for every one.
        sha: The commit that was asked for.
        consumer_version: The consumer's version, as far as it is known.
        provider_version: The provider's version, as far as it is known.
        is_open: Whether the run waits, runs, or publishes.
        age: The seconds since its end; None if it has not ended.
        error_kind: Why it has no result, in a word; None if it has one.
        parent_id: The run for several pacts that it is of.
    """

    id: UUID
    pact_url: str | None
    pact_urls: list[str] | None
    sha: str | None
    consumer_version: str | None
    provider_version: str | None
    is_open: bool
    age: float | None
    error_kind: str | None
    parent_id: UUID | None


def page_of_runs(
    connection: Connection[Any], filters: Mapping[str, str], *, limit: int, after: Place | None
) -> Page[Run]:
    """Return a page of runs.

    Args:
        connection: The open connection.
        filters: The values that columns must have.
        limit: How many runs the page has at most.
        after: The place after which the page begins; None for the first page.
    """
    found = _select(connection, Run, ("runs", "created_at"), filters, limit=limit + 1, after=after)
    return _page(found, limit, [run.created_at for run in found])


def page_of_deliveries(
    connection: Connection[Any], filters: Mapping[str, str], *, limit: int, after: Place | None
) -> Page[Delivery]:
    """Return a page of deliveries; its arguments are those of `page_of_runs`."""
    found = _select(
        connection, Delivery, ("deliveries", "received_at"), filters, limit=limit + 1, after=after
    )
    return _page(found, limit, [delivery.received_at for delivery in found])


def lock_reconciliation(connection: Connection[Any]) -> None:
    """Hold a lock until the end of the transaction, so that no two queue the same missed dispatch."""
    connection.execute("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": _RECONCILE_LOCK})


def earlier_runs(
    connection: Connection[Any], provider: str, consumer: str, *, days: float
) -> list[EarlierRun]:
    """Return the runs for a provider and a consumer, or for all consumers, open ones first, then newest first.

    Args:
        connection: The open connection.
        provider: The provider's name.
        consumer: The consumer's name.
        days: The age in days from which ended runs are left out.
    """
    with connection.cursor(row_factory=class_row(EarlierRun)) as cursor:
        return cursor.execute(
            """
            SELECT id, pact_url, pact_urls, sha, consumer_version, provider_version,
                status IN ('waiting', 'running') OR publishing = 'pending' AS is_open,
                extract(epoch FROM now() - finished_at)::double precision AS age, error_kind,
                parent_id
            FROM runs
            WHERE provider = %(provider)s
              AND (consumer = %(consumer)s
                   OR pact_url IS NULL AND (status IN ('waiting', 'running') OR outcome = 'error'))
              AND (status IN ('waiting', 'running') OR publishing = 'pending'
                   OR finished_at > now() - %(days)s * interval '1 day')
              AND error_kind IS DISTINCT FROM 'superseded'
            ORDER BY is_open DESC, created_at DESC LIMIT %(most)s
            """,
            {"provider": provider, "consumer": consumer, "days": days, "most": MOST_EARLIER_RUNS},
        ).fetchall()


def _select(
    connection: Connection[Any],
    kind: type[Item],
    source: tuple[str, str],
    filters: Mapping[str, str],
    *,
    limit: int,
    after: Place | None,
) -> list[Item]:
    """Read the newest rows of a table; `source` is its name and that of its column with the time."""
    table, time = map(sql.Identifier, source)
    columns = [
        sql.SQL("NULL AS {}" if field.name in _LARGE else "{}").format(sql.Identifier(field.name))
        for field in fields(kind)
    ]
    conditions: list[sql.Composable] = [
        sql.SQL(_NAMED.get((name, value)) or _PREFIXES.get(name, "{column} = {value}")).format(
            column=sql.Identifier(name), value=sql.Placeholder(name)
        )
        for name, value in filters.items()
    ]
    values: dict[str, Any] = {**filters, "_limit": limit}
    if after is not None:
        conditions.append(sql.SQL("({}, id) < (%(_at)s, %(_id)s)").format(time))
        values |= {"_at": after.at, "_id": after.id}
    query = sql.SQL(
        "SELECT {columns} FROM {table} WHERE {conditions} ORDER BY {time} DESC, id DESC LIMIT %(_limit)s"
    ).format(
        columns=sql.SQL(", ").join(columns),
        table=table,
        conditions=sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true"),
        time=time,
    )
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query, values).fetchall()


def _page(found: list[Item], limit: int, times: list[datetime]) -> Page[Item]:
    """Make a page of what was found, which has one item more if there is a next page."""
    end = Place(times[limit - 1], found[limit - 1].id) if len(found) > limit else None
    return Page(found[:limit], end)
