"""Deliveries and runs for whoever looks them up: pages of them, filtered, and each as a JSON document."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import sql
from psycopg.rows import class_row

from app.records import runs
from app.records.deliveries import Delivery
from app.records.run_status import Publishing, RunStatus
from app.records.runs import Run
from app.statuses import updates as statuses
from app.web.api.paging import Filter, Place
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from psycopg import Connection

    from app.statuses.updates import StoredStatus
    from app.web.api.paging import PageRequest

Item = TypeVar("Item", Run, Delivery)

STATUSES = tuple(RunStatus)
OUTCOMES = tuple(Outcome)
PUBLISHING = tuple(Publishing)
RUN_FILTERS = (
    Filter("status", STATUSES),
    Filter("outcome", OUTCOMES),
    Filter("provider"),
    Filter("consumer"),
    Filter("repository"),
    Filter("pact_url"),
)
SOURCES = ("api", "github", "redelivery", "reconcile")
DELIVERY_FILTERS = (Filter("source", SOURCES), Filter("refusal"), Filter("repository"))

_LARGE = frozenset({"error_output"})
"""Columns that are not read for a list."""


def page_of_runs(connection: Connection[Any], asked: PageRequest) -> tuple[list[Run], Place | None]:
    """Read a page of runs, newest first, without their verifications and what was printed.

    Returns:
        The runs, and the place after which the next page begins, if there is one.
    """
    found = _page(connection, asked, Run, "runs", "created_at")
    shown = found[: asked.limit]
    more = len(found) > asked.limit
    return shown, Place(shown[-1].created_at, shown[-1].id) if more else None


def page_of_deliveries(
    connection: Connection[Any], asked: PageRequest
) -> tuple[list[Delivery], Place | None]:
    """Read a page of deliveries, newest first.

    Returns:
        The deliveries, and the place after which the next page begins, if there is one.
    """
    found = _page(connection, asked, Delivery, "deliveries", "received_at")
    shown = found[: asked.limit]
    more = len(found) > asked.limit
    return shown, Place(shown[-1].received_at, shown[-1].id) if more else None


def deliveries_of(connection: Connection[Any], run_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """Give the ids of the deliveries that each of some runs answers, oldest first."""
    found = defaultdict(list)
    rows = connection.execute(
        "SELECT run_id, id FROM deliveries WHERE run_id = ANY(%(runs)s) ORDER BY received_at, id",
        {"runs": list(run_ids)},
    )
    for run_id, delivery_id in rows:
        found[run_id].append(str(delivery_id))
    return found


def run_document(run: Run, deliveries: Sequence[str]) -> dict[str, Any]:
    """Give a run as it stands in lists."""
    return {
        "id": str(run.id),
        "status": run.status,
        "outcome": run.outcome,
        "reason": run.reason,
        "provider": run.provider,
        "provider_version": run.provider_version,
        "provider_branch": run.provider_branch,
        "consumer": run.consumer,
        "consumer_version": run.consumer_version,
        "pact_url": run.pact_url,
        "repository": run.repository,
        "event_type": run.event_type,
        "sha": run.sha,
        "branch": run.branch,
        "interaction_count": run.interactions,
        "error": run.error,
        "error_kind": run.error_kind,
        "attempts": run.attempt,
        "retry_at": _time(run.retry_at),
        "cancel_requested": run.cancel_requested,
        "publishing": run.publishing,
        "publish_attempts": run.publish_attempts,
        "publish_error": run.publish_error,
        "result_url": run.result_url,
        "created_at": _time(run.created_at),
        "started_at": _time(run.started_at),
        "verified_at": _time(run.verified_at),
        "finished_at": _time(run.finished_at),
        "deliveries": list(deliveries),
    }


def whole_run_document(connection: Connection[Any], run: Run) -> dict[str, Any]:
    """Read the rest of a run, and give it with all that is known of it, but for its log."""
    return {
        **run_document(run, deliveries_of(connection, [run.id]).get(run.id, [])),
        "worker": run.worker,
        "error_output": run.error_output,
        "interactions": (runs.verification_of(connection, run.id) or {}).get("interactions", []),
        "relay": _relay_document(connection, run),
        "commit_statuses": [_status_document(status) for status in statuses.of_run(connection, run.id)],
    }


def delivery_document(delivery: Delivery) -> dict[str, Any]:
    """Give a delivery as it stands in lists."""
    return {
        "id": str(delivery.id),
        "received_at": _time(delivery.received_at),
        "source": delivery.source,
        "github_id": delivery.github_id,
        "sender": delivery.sender,
        "address": delivery.address,
        "repository": delivery.repository,
        "event_type": delivery.event_type,
        "status": delivery.status,
        "refusal": delivery.refusal,
        "detail": delivery.detail,
        "run_id": None if delivery.run_id is None else str(delivery.run_id),
        "coalesced": delivery.coalesced,
    }


def whole_delivery_document(delivery: Delivery) -> dict[str, Any]:
    """Give a delivery with its payload, from which secrets were taken out when it came in."""
    return {**delivery_document(delivery), "payload": delivery.payload}


def _page(
    connection: Connection[Any], asked: PageRequest, kind: type[Item], table: str, time: str
) -> list[Item]:
    """Read a page and one item more, if there is one."""
    columns = [
        sql.SQL("NULL AS {}" if field.name in _LARGE else "{}").format(sql.Identifier(field.name))
        for field in fields(kind)
    ]
    conditions: list[sql.Composable] = [
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in asked.filters
    ]
    values: dict[str, Any] = {**asked.filters, "_most": asked.limit + 1}
    if asked.after is not None:
        conditions.append(
            sql.SQL("({}, id) < ({}, {})").format(
                sql.Identifier(time), sql.Placeholder("_at"), sql.Placeholder("_id")
            )
        )
        values |= {"_at": asked.after.at, "_id": asked.after.id}
    query = sql.SQL("SELECT {columns} FROM {table} WHERE {where} ORDER BY {time} DESC, id DESC LIMIT {most}")
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(
            query.format(
                columns=sql.SQL(", ").join(columns),
                table=sql.Identifier(table),
                where=sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true"),
                time=sql.Identifier(time),
                most=sql.Placeholder("_most"),
            ),
            values,
        ).fetchall()


def _relay_document(connection: Connection[Any], run: Run) -> dict[str, Any] | None:
    """Read where a run has passed its dispatch on; None if it hasn't (yet)."""
    row = connection.execute(
        "SELECT repository, event_type, request_id, relayed_at FROM relays "
        "WHERE run_id = %(id)s AND relayed_at IS NOT NULL",
        {"id": run.id},
    ).fetchone()
    if row is None:
        return None
    repository, event_type, request_id, relayed_at = row
    return {
        "repository": repository,
        "event_type": event_type,
        "request_id": request_id,
        "relayed_at": _time(relayed_at),
    }


def _status_document(status: StoredStatus) -> dict[str, Any]:
    return {
        "repository": status.repository,
        "sha": status.sha,
        "context": status.context,
        "state": status.state,
        "description": status.description,
        "result": status.result,
        "attempts": status.attempts,
        "error": status.error,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
