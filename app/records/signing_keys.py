"""The keys by which sessions and links of the dashboard are signed: made by the migration, and the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection


def dashboard_key(connection: Connection[Any]) -> bytes:
    """Return the key of the dashboard's sessions and links."""
    row = connection.execute("SELECT value FROM signing_keys WHERE name = 'dashboard'").fetchone()
    assert row is not None  # noqa: S101 - the migration has made it
    return bytes(row[0])
