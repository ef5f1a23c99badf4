"""Queries over many runs and deliveries: pages of lists, and the runs that a pact had already."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, LiteralString, TypeVar

from psycopg import sql
from psycopg.rows import class_row

from app.records.deliveries import LARGE, Delivery
from app.records.run import Run
from app.records.run_filters import MOST_SEARCHED, TEXT, VERSION, conditions_of, is_rare, search_condition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from psycopg import Connection

Item = TypeVar("Item", Run, Delivery)

MOST_EARLIER_RUNS = 1000

_LARGE = LARGE | {"error_output"}
"""Columns that are not read for a list."""
_DELIVERY_CONDITIONS: dict[tuple[str, str], LiteralString] = {
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
        is_published: Whether the broker has its result.
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
    is_published: bool
    age: float | None
    error_kind: str | None
    parent_id: UUID | None


def page_of_runs(
    connection: Connection[Any], filters: Mapping[str, str], *, limit: int, after: Place | None
) -> Page[Run]:
    """Return a page of runs.

    Args:
        connection: The open connection.
        filters: What the runs must have: values of columns, and the filters of `app.records.run_filters`.
        limit: How many runs the page has at most.
        after: The place after which the page begins; None for the first page.

    Returns:
        The page. With a text to look for it may have few runs, or none, and yet an end: older ones may have it.
    """
    text = filters.get(TEXT)
    exact = {name: value for name, value in filters.items() if name != TEXT}
    conditions, values = _conditions(connection, exact)
    source = _Source("runs", "created_at", conditions, values, after)
    found = _select(connection, Run, source, limit=limit + 1, search=text)
    page = _page(found, limit, [run.created_at for run in found])
    if text is None or page.end is not None:
        return page
    return Page(page.items, _last_searched(connection, source))


def newer_runs(connection: Connection[Any], filters: Mapping[str, str], *, than: Place, most: int) -> int:
    """Return how many runs are newer than a place of the list with these filters, `most` at most.

    Args:
        connection: The open connection.
        filters: The filters of the list but `run_filters.TEXT`, which has no index.
        than: The place.
        most: How many are counted at most.
    """
    conditions, values = _conditions(connection, filters)
    query = sql.SQL(
        "SELECT count(*) FROM (SELECT 1 FROM runs WHERE {} AND (created_at, id) > (%(_at)s, %(_id)s) "
        "ORDER BY created_at DESC, id DESC LIMIT %(_most)s) AS newer"
    ).format(sql.SQL(" AND ").join([sql.SQL("true"), *conditions]))
    row = connection.execute(query, {**values, "_at": than.at, "_id": than.id, "_most": most}).fetchone()
    return row[0] if row else 0


def page_of_deliveries(
    connection: Connection[Any], filters: Mapping[str, str], *, limit: int, after: Place | None
) -> Page[Delivery]:
    """Return a page of deliveries; its arguments are those of `page_of_runs`."""
    conditions = [
        sql.SQL(_DELIVERY_CONDITIONS.get((name, value), "{column} = {value}")).format(
            column=sql.Identifier(name), value=sql.Placeholder(name)
        )
        for name, value in filters.items()
    ]
    source = _Source("deliveries", "received_at", conditions, filters, after)
    found = _select(connection, Delivery, source, limit=limit + 1)
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
                publishing = 'published' AS is_published,
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


@dataclass(frozen=True)
class _Source:
    """What is listed: rows of a table, newest first.

    Attributes:
        table: The table.
        time: Its column with the time.
        conditions: What the rows have to meet.
        values: The values in these conditions.
        after: The place after which the rows begin.
    """

    table: str
    time: str
    conditions: Sequence[sql.Composable]
    values: Mapping[str, Any]
    after: Place | None

    def select(
        self, columns: sql.Composable, *, limit: int, offset: int = 0
    ) -> tuple[sql.Composed, dict[str, Any]]:
        """Return the statement that reads columns, and its values."""
        time = sql.Identifier(self.time)
        conditions, values = [sql.SQL("true"), *self.conditions], {**self.values}
        if self.after is not None:
            conditions.append(sql.SQL("({}, id) < (%(_at)s, %(_id)s)").format(time))
            values |= {"_at": self.after.at, "_id": self.after.id}
        query = sql.SQL(
            "SELECT {columns} FROM {table} WHERE {conditions} ORDER BY {time} DESC, id DESC "
            "LIMIT {limit} OFFSET {offset}"
        ).format(
            columns=columns,
            table=sql.Identifier(self.table),
            conditions=sql.SQL(" AND ").join(conditions),
            time=time,
            limit=limit,
            offset=offset,
        )
        return query, values


def _conditions(
    connection: Connection[Any], filters: Mapping[str, str]
) -> tuple[list[sql.Composable], dict[str, datetime | str]]:
    rare = VERSION in filters and is_rare(connection, filters[VERSION])
    return conditions_of(filters, datetime.now(UTC), rare_version=rare)


def _select(
    connection: Connection[Any], kind: type[Item], source: _Source, *, limit: int, search: str | None = None
) -> list[Item]:
    """Read rows; `search` is a text that they must have, and is looked for in the newest ones alone."""
    columns = sql.SQL(", ").join(
        sql.SQL("NULL AS {}" if field.name in _LARGE else "{}").format(sql.Identifier(field.name))
        for field in fields(kind)
    )
    query, values = source.select(columns, limit=limit if search is None else MOST_SEARCHED)
    if search is not None:
        has_text, more = search_condition(search)
        values |= more
        query = sql.SQL("SELECT * FROM ({}) AS searched WHERE {} ORDER BY {} DESC, id DESC LIMIT {}").format(
            query, has_text, sql.Identifier(source.time), limit
        )
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query, values).fetchall()


def _last_searched(connection: Connection[Any], source: _Source) -> Place | None:
    """Return the place of the last row that a text was looked for in; None if there are no more rows."""
    columns = sql.SQL("{}, id").format(sql.Identifier(source.time))
    query, values = source.select(columns, limit=2, offset=MOST_SEARCHED - 1)
    rows = connection.execute(query, values).fetchall()
    return Place(*rows[0]) if len(rows) == 2 else None


def _page(found: list[Item], limit: int, times: list[datetime]) -> Page[Item]:
    """Make a page of what was found, which has one item more if there is a next page."""
    end = Place(times[limit - 1], found[limit - 1].id) if len(found) > limit else None
    return Page(found[:limit], end)
