"""The newest version of each provider that is checked out, by when it was first seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

SILENT_DAYS = 365
"""What is known of a line of which there is no run for so long is forgotten: its next run is like the first one."""
HAS_RUNS = """
(CASE WHEN known.line = '' THEN EXISTS (SELECT FROM runs WHERE runs.provider = known.provider)
ELSE EXISTS (SELECT FROM runs WHERE runs.branch = known.line AND runs.provider = known.provider)
    OR EXISTS (SELECT FROM runs WHERE runs.provider_branch = known.line AND runs.provider = known.provider) END)
"""
"""Whether the history has a run of the line of a row of `known`; of one of the main branch: of its provider."""


def is_newest(connection: Connection[Any], provider: str, line: str, version: str) -> bool:
    """Return whether no version of a provider that came later was seen on a line, and note one that came later.

    Args:
        connection: The open connection; the caller commits.
        provider: The provider's name.
        line: The line.
        version: The version that was verified.
    """
    row = connection.execute(
        "SELECT version FROM newest_versions WHERE provider = %(provider)s AND line = %(line)s FOR UPDATE",
        {"provider": provider, "line": line},
    ).fetchone()
    if row is not None and row[0] == version:
        return True
    noted = connection.execute(
        """
        INSERT INTO newest_versions AS newest (provider, line, version, first_seen_at)
        SELECT %(provider)s, %(line)s, %(version)s, coalesce(min(created_at), now()) FROM runs
            WHERE provider = %(provider)s AND left(provider_version, 255) = left(%(version)s, 255)
        ON CONFLICT (provider, line) DO UPDATE
            SET version = excluded.version, first_seen_at = excluded.first_seen_at
            WHERE excluded.first_seen_at >= newest.first_seen_at
        RETURNING version
        """,
        {"provider": provider, "line": line, "version": version},
    ).fetchone()
    return noted is not None


def delete_silent(connection: Connection[Any], days: float) -> None:
    """Delete those of lines that have had no run for `SILENT_DAYS`, nor as long as the history is kept.

    Args:
        connection: The open connection; the caller commits.
        days: For how many days the history is kept.
    """
    values = {"days": days, "silent_days": max(days, SILENT_DAYS)}
    connection.execute(
        f"""
        UPDATE newest_versions SET seen_at = now() WHERE (provider, line) IN (
            SELECT provider, line FROM newest_versions AS known
            WHERE seen_at < now() - %(days)s * interval '1 day' AND {HAS_RUNS} FOR UPDATE SKIP LOCKED)
        """.encode(),  # noqa: S608 - constants
        values,
    )
    connection.execute(
        f"""
        DELETE FROM newest_versions WHERE (provider, line) IN (
            SELECT provider, line FROM newest_versions AS known
            WHERE seen_at < now() - %(silent_days)s * interval '1 day' AND NOT {HAS_RUNS} AND NOT EXISTS (
                SELECT FROM told_outcomes AS told WHERE told.provider = known.provider AND told.line = known.line)
            FOR UPDATE SKIP LOCKED)
        """.encode(),  # noqa: S608 - constants
        values,
    )
