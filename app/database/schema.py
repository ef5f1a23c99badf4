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


class SchemaUnusable(Exception):
    """The existing tables can't be used; the message continues the name of the database."""


class NoTables(SchemaUnusable):
    """There are no tables at all."""


def migrate(connection: psycopg.Connection[Any], *, makes: bool = True) -> None:
    """Bring the tables up to date, one process at a time.

    Args:
        connection: A connection in autocommit, without a limit for statements.
        makes: Whether they are made where there are none.

    Raises:
        SchemaUnusable: They are a newer version's, or another program's; or there are none.
        psycopg.Error: The database refuses, or another process has been migrating for ten minutes.
    """
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
        applied = {name for (name,) in connection.execute("SELECT name FROM schema_versions").fetchall()}
        procrastinate = _sql_files("procrastinate", "sql/migrations")
        # these names are recorded in every database: they don't change with the folder
        own = _sql_files("app", "database/migrations")
        _refuse_newer(applied, procrastinate, own)
        if not any(name in applied for name in procrastinate):
            _make_procrastinate(connection, procrastinate)
            applied.update(procrastinate)
        for name, file in {**procrastinate, **own}.items():
            if name not in applied:
                _apply(connection, file, [name])
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (ADVISORY_LOCK,))


def _sql_files(package: str, folder: str) -> dict[str, Traversable]:
    found = [file for file in files(package).joinpath(folder).iterdir() if file.name.endswith(".sql")]
    return {f"{package}/{file.name}": file for file in sorted(found, key=lambda file: file.name)}


def _refuse_newer(applied: set[str], *known: dict[str, Traversable]) -> None:
    for group in known:
        newest = max(group, default="")
        prefix = newest.partition("/")[0] + "/"
        newer = sorted(name for name in applied if name.startswith(prefix) and name > newest)
        if newer:
            raise SchemaUnusable(
                f"was brought up to date by a newer version of pact-dispatch (it has {newer[-1]}, and this one knows "
                f"{newest}): install that version or a later one, or go back to a backup from before"
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
        cursor.executemany("INSERT INTO schema_versions (name) VALUES (%s)", [(name,) for name in names])
