"""Relays: the payload of a dispatch that is passed on to GitHub, and where it was passed on.

The payload is whole until GitHub has it. Then it is kept without what may be a secret, as that of a delivery is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from app.records.run import Run


def add(connection: Connection[Any], run_id: UUID, client_payload: dict[str, Any]) -> None:
    """Store the payload that a run is to pass on."""
    connection.execute(
        "INSERT INTO relays (run_id, client_payload) VALUES (%(id)s, %(payload)s)",
        {"id": run_id, "payload": json.dumps(client_payload)},
    )


def payload_of(connection: Connection[Any], run: Run) -> dict[str, Any] | None:
    """Return the whole payload of a run's dispatch, or what the run knows of it where no request carried it.

    Returns:
        None if the payload was passed on, and something of it is not kept any more.
    """
    row = connection.execute(
        "SELECT client_payload, redacted FROM relays WHERE run_id = %(id)s", {"id": run.id}
    ).fetchone()
    if row is None:
        return run.dispatch.payload
    payload: dict[str, Any]
    payload, redacted = row
    return None if redacted else payload


def of_run(connection: Connection[Any], run_id: UUID) -> dict[str, Any] | None:
    """Return where and when the dispatch of a run was passed on, or None if it was not (yet)."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT repository, event_type, request_id, relayed_at FROM relays "
            "WHERE run_id = %(id)s AND relayed_at IS NOT NULL",
            {"id": run_id},
        ).fetchone()


def relayed(
    connection: Connection[Any],
    run: Run,
    client_payload: dict[str, Any],
    *,
    redacted: bool,
    repository: str,
    event_type: str,
    request_id: str | None,
) -> None:
    """Store where a run's dispatch was passed on to.

    Args:
        connection: The open connection; the caller commits.
        run: The run.
        client_payload: What is kept of the payload from now on.
        redacted: Whether something of it is missing there.
        repository: OWNER/REPO that has it now.
        event_type: The event type as which it was passed on.
        request_id: GitHub's id of the request that did it.
    """
    connection.execute(
        """
        INSERT INTO relays (run_id, client_payload, redacted, repository, event_type, request_id, relayed_at)
        VALUES (%(id)s, %(payload)s, %(redacted)s, %(repository)s, %(event_type)s, %(request_id)s, now())
        ON CONFLICT (run_id) DO UPDATE SET client_payload = excluded.client_payload, redacted = excluded.redacted,
            repository = excluded.repository, event_type = excluded.event_type, request_id = excluded.request_id,
            relayed_at = excluded.relayed_at
        """,
        {
            "id": run.id,
            "payload": json.dumps(client_payload),
            "redacted": redacted,
            "repository": repository,
            "event_type": event_type,
            "request_id": request_id and request_id[:200],
        },
    )
