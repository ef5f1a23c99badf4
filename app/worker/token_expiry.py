"""When the token for GitHub expires, as GitHub's answers say: noted, so that somebody can make a new one in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from app.records import sightings
from app.records.sightings import Seen

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg_pool import ConnectionPool

log = structlog.get_logger("worker")


def note_token(pool: ConnectionPool[Any], expires: datetime | None) -> bool:
    """Store when the token expires.

    Args:
        pool: The pool of connections to the database.
        expires: When; None if GitHub names no time.

    Returns:
        Whether it is stored. Nothing fails because it isn't: GitHub says it with its next answer again.
    """
    try:
        with pool.connection() as connection:
            sightings.note(
                connection, Seen.GITHUB_TOKEN, {"expires": None if expires is None else expires.isoformat()}
            )
    except psycopg.Error as error:
        log.warning("when the token for GitHub expires is not stored", error=type(error).__name__)
        return False
    return True
