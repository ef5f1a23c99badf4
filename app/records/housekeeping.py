"""When each chore was last begun, over all workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection


def begin_if_due(connection: Connection[Any], name: str, seconds: float, *, at_once: bool = True) -> bool:
    """Note that a chore begins, unless a worker began it less than a period ago.

    Args:
        connection: The open connection; the caller commits.
        name: The chore's name.
        seconds: Its period.
        at_once: Whether a chore that was never done is due.

    Returns:
        Whether the caller has to do it.
    """
    row = connection.execute(
        """
        INSERT INTO housekeeping AS kept (name, last_at) VALUES (%(name)s, now())
        ON CONFLICT (name) DO UPDATE SET last_at = now()
            WHERE kept.last_at <= now() - %(seconds)s * interval '1 second'
        RETURNING xmax = 0
        """,
        {"name": name, "seconds": seconds},
    ).fetchone()
    return row is not None and (at_once or not row[0])  # a row that was inserted has no xmax
