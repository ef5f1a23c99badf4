"""The tables of the database and their migrations.

Procrastinate's come first: its `schema.sql` once, later those files of its `sql/migrations` that are new. The others
are in `app/database/migrations`, in the order of their names. Each file is a transaction, and is recorded in it.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import psycopg

ADVISORY_LOCK = 0x70616374_0002
"""A number that no other program uses: "pact" in ASCII, and the number of the lock."""
MIGRATION_SECONDS = 600
"""How long a process waits for another one that migrates: a million runs take it minutes on a slow machine."""
LOCK_SECONDS = 60
"""How long it waits for a lock of a table then."""
WORKS_SINCE = "app/0016_refused_of_a_repository.sql"
"""The newest migration of the release before this one.

It is recorded with each migration that this version applies. A version that knows it works with these tables, too: for
one release the migrations only add to them.
"""


class SchemaUnusable(Exception):
    """The existing tables can't be used; the message continues the name of the database."""


class NoTables(SchemaUnusable):
    """There are no tables at all."""


def migrate(connection: psycopg.Connection[Any], *, makes: bool = True) -> list[str]:
    """Bring the tables up to date, one process at a time. Where they are, nothing is locked, and no right is needed.

    Args:
        connection: A connection in autocommit, without a limit for statements.
        makes: Whether they are made where there are none.

    Returns:
        The names of the migrations that were applied.

    Raises:
        SchemaUnusable: They are a newer version's, or another program's; or there are none.
        psycopg.Error: The database refuses, or another process has been migrating for ten minutes.
    """
    if not missing(connection):
        return []
    connection.execute(f"SET lock_timeout = '{MIGRATION_SECONDS}s'")
    connection.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
    try:
        connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        if not makes and not _exists(connection, "schema_versions"):
            raise NoTables("has no tables of a receiver")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_versions "
            "(name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        connection.execute("ALTER TABLE schema_versions ADD COLUMN IF NOT EXISTS works_since text")
        procrastinate, own = _known()
        names = missing(connection)
        if set(procrastinate) <= set(names):
            _make_procrastinate(connection, procrastinate)
        else:
            own = procrastinate | own
        for name, file in own.items():
            if name in names:
                _apply(connection, file, [name])
        return names
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (ADVISORY_LOCK,))


def missing(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the names of the migrations that the tables lack, in their order; those of a newer version may have more.

    Raises:
        SchemaUnusable: They are those of a newer version that this one doesn't work with.
    """
    applied: dict[str, str | None] = {}
    if _exists(connection, "schema_versions"):
        # the column is newer than the table
        rows = connection.execute(
            "SELECT name, to_jsonb(known) ->> 'works_since' FROM schema_versions AS known"
        )
        applied = dict(rows.fetchall())
    known = _known()
    _refuse_newer(applied, *known)
    return [name for group in known for name in group if name not in applied]


def _known() -> tuple[dict[str, Traversable], dict[str, Traversable]]:
    """Return the migrations of Procrastinate, and those of the receiver, by the names that every database records."""
    # these names don't change with the folder
    return _sql_files("procrastinate", "sql/migrations"), _sql_files("app", "database/migrations")


def _sql_files(package: str, folder: str) -> dict[str, Traversable]:
    found = [file for file in files(package).joinpath(folder).iterdir() if file.name.endswith(".sql")]
    return {f"{package}/{file.name}": file for file in sorted(found, key=lambda file: file.name)}


def _refuse_newer(applied: dict[str, str | None], *known: dict[str, Traversable]) -> None:
    newest_own = max(known[-1])
    for group in known:
        newest = max(group)
        prefix = newest.partition("/")[0] + "/"
        newer = sorted(name for name in applied if name.startswith(prefix) and name > newest)
        unusable = [name for name in newer if (applied[name] or "~") > newest_own]
        if unusable:
            raise SchemaUnusable(
                f"was brought up to date by a newer version of pact-dispatch (it has {unusable[-1]}, and this one "
                f"knows {newest}), more than one release ahead: install that version or a later one, or restore a "
                "backup from before (`pact-dispatch database restore`; with DATABASE_URL, into a new, empty database)"
            )


def _make_procrastinate(connection: psycopg.Connection[Any], migrations: dict[str, Traversable]) -> None:
    if _exists(connection, "procrastinate_jobs"):
        raise SchemaUnusable(
            "holds the tables of another program's Procrastinate: give pact-dispatch a database of its own"
        )
    _apply(connection, files("procrastinate").joinpath("sql/schema.sql"), list(migrations))


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
    return row is not None and bool(row[0])


def _apply(connection: psycopg.Connection[Any], file: Traversable, names: list[str]) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        # the files are those of the two packages
        cursor.execute(file.read_bytes())
        cursor.executemany(
            "INSERT INTO schema_versions (name, works_since) VALUES (%s, %s)",
            # what Procrastinate calls "post" takes away what an older version of it needs
            [(name, None if "_post_" in name else WORKS_SINCE) for name in names],
        )
