"""The rows of one receiver's database in another one, whatever the versions of the two PostgreSQL.

The tables are made by the migrations, and not by what a dump or another server says that they are: only values are
taken over. So neither the version of a server nor a function that somebody has put into a dump matters to the other
one, and a user without rights beyond its own database will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from psycopg import sql

from app.database import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from psycopg import Connection

LOCK_SECONDS = 10
TABLES = """
SELECT relname FROM pg_class
WHERE relkind IN ('r', 'p')
    AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_versions'))
ORDER BY relname
"""
REFERENCES = """
SELECT referring.relname, referred.relname FROM pg_constraint
JOIN pg_class AS referring ON referring.oid = conrelid JOIN pg_class AS referred ON referred.oid = confrelid
WHERE contype = 'f' AND conrelid <> confrelid
"""
COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
WHERE relname = ANY(%s)
    AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_versions'))
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
SETTINGS = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "maintenance_work_mem": "128MB",
}
"""How values are written, so that both sides write them alike, and no limit of a role's or a database's."""
TRANSACTION_TIMEOUT = 170000
"""The version from which there is a `transaction_timeout`."""


class Differs(Exception):
    """What was copied isn't what was there, or there is no place for it; the message says what."""


@dataclass(frozen=True)
class Copied:
    """What was copied.

    Attributes:
        rows: The number of rows of each table.
        left_out: The tables and columns that are none of a receiver's, and were not copied.
    """

    rows: dict[str, int]
    left_out: tuple[str, ...]


def prepare_session(connection: Connection[Any]) -> None:
    """Have a connection write values as the other side does, and wait as long as it takes."""
    settings = SETTINGS
    if connection.info.server_version >= TRANSACTION_TIMEOUT:
        settings = SETTINGS | {"transaction_timeout": "0"}
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))


def copy_rows(
    source: Connection[Any],
    target: Connection[Any],
    tell: Callable[[str], None],
    check: Callable[[], None] = lambda: None,
    before_commit: Callable[[], None] = lambda: None,
) -> Copied:
    """Replace all rows of a receiver's database by those of another one, in one transaction, and compare the two.

    Args:
        source: A connection in autocommit; its database is read at one moment.
        target: A connection in autocommit; its tables are those of this version, and the user owns them.
        tell: Is told which table is copied, and how far.
        check: Raises if the rows that are there are not to be replaced; nobody can add any from then on.
        before_commit: Is called when all is copied and compared, and nothing is changed yet.

    Raises:
        Differs: The two have different tables, or what arrived differs from what was sent. Nothing was changed.
        psycopg.Error: One of the two refuses. Nothing was changed.
    """
    for connection in (source, target):
        prepare_session(connection)
    with source.transaction(), target.transaction():
        source.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        _check_versions(source, target)
        tables = _in_order(target)
        columns = {table: _columns(target, table) for table in tables}
        left_out = _check_tables(source, columns)
        names = sql.SQL(", ").join(map(sql.Identifier, tables))
        target.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(names))
        check()
        target.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(names))
        for table in tables:
            # What they would do was done when the rows were stored first: count, notify, note the latest result.
            target.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))
        indexes = target.execute(INDEXES, (tables,)).fetchall()
        for index, _ in indexes:  # it takes less than half the time to make them of all rows at once
            target.execute(f"DROP INDEX {index}".encode())
        for table in tables:
            _copy(source, target, table, columns[table], tell)
        for index, definition in indexes:
            tell(f"making the index {index}")
            target.execute(definition.encode())
        for table in tables:
            target.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(sql.Identifier(table)))
            _copy_sequences(source, target, table, columns[table])
        rows = {}
        for table in tables:
            tell(f"comparing {table}")
            rows[table] = _compare(source, target, table, columns[table])
        before_commit()
    for table in tables:
        target.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
    return Copied(rows, left_out)


def fingerprint(connection: Connection[Any], table: str, columns: Iterable[str]) -> tuple[int, str]:
    """Return the number of rows of a table, and a number that all their values go into, whatever their order."""
    row = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(ROW({})::text, 0)), 0)::text FROM {}")
    found = connection.execute(query.format(row, sql.Identifier(table))).fetchone()
    if found is None:
        raise Differs(f"the rows of {table} can't be counted")
    return int(found[0]), str(found[1])


def fingerprints(connection: Connection[Any]) -> dict[str, tuple[int, str]]:
    """Return the fingerprint of each table."""
    found = (name for (name,) in connection.execute(TABLES).fetchall())
    return {table: fingerprint(connection, table, sorted(_columns(connection, table))) for table in found}


def sequences(connection: Connection[Any]) -> dict[tuple[str, str], tuple[int, bool]]:
    """Return the state of the sequence of each column that has one."""
    tables = [name for (name,) in connection.execute(TABLES).fetchall()]
    found = {}
    for table in tables:
        for column in _columns(connection, table):
            if (sequence := _sequence(connection, table, column)) is not None:
                found[table, column] = _state(connection, sequence)
    return found


def _check_versions(source: Connection[Any], target: Connection[Any]) -> None:
    there, here = (
        {name for (name,) in connection.execute("SELECT name FROM schema_versions").fetchall()}
        for connection in (source, target)
    )
    if newer := sorted(there - here):
        raise Differs(
            f"a newer version of pact-dispatch has made its tables (it has {newer[-1]}): do this with that version, "
            "here or on another machine where it is installed already"
        )
    if older := sorted(here - there):
        if not schema.missing(source):
            raise Differs(
                f"a newer version of pact-dispatch has made the tables that it should go to (they have {older[-1]}): "
                "install that one, or take a new and empty database"
            )
        raise Differs(
            f"an older version of pact-dispatch has made its tables (it lacks {older[-1]}): run "
            "`pact-dispatch migrate` for it first"
        )


def _in_order(target: Connection[Any]) -> list[str]:
    """Return the tables, each after those that it refers to."""
    tables = [name for (name,) in target.execute(TABLES).fetchall()]
    if not tables:
        raise Differs("it has no tables of a receiver")
    sorter = TopologicalSorter({table: set[str]() for table in tables})
    for referring, referred in target.execute(REFERENCES).fetchall():
        if referring in tables and referred in tables:
            sorter.add(referring, referred)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise Differs(f"its tables refer to each other: {error.args[1]}") from error


def _check_tables(source: Connection[Any], columns: dict[str, list[str]]) -> tuple[str, ...]:
    """Check that all that is asked for is there, and return what else is there."""
    there = {name for (name,) in source.execute(TABLES).fetchall()}
    left_out = sorted(there - columns.keys())
    for table, expected in columns.items():
        if table not in there:
            raise Differs(f"it has no table {table}")
        found = _columns(source, table)
        if missing := [column for column in expected if column not in found]:
            raise Differs(f"its table {table} has no column {', '.join(missing)}")
        left_out += [f"{table}.{column}" for column in found if column not in expected]
    return tuple(left_out)


def _columns(connection: Connection[Any], table: str) -> list[str]:
    quoted = sql.Identifier(table).as_string(connection)
    return [name for (name,) in connection.execute(COLUMNS, (quoted,)).fetchall()]


def _copy(
    source: Connection[Any],
    target: Connection[Any],
    table: str,
    columns: list[str],
    tell: Callable[[str], None],
) -> None:
    whole = sql.SQL("{} ({})").format(sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns)))
    rows = 0
    tell(f"copying {table}")
    with (
        source.cursor() as reading,
        target.cursor() as writing,
        reading.copy(sql.SQL("COPY {} TO STDOUT").format(whole)) as read,
        writing.copy(sql.SQL("COPY {} FROM STDIN").format(whole)) as write,
    ):
        for chunk in read:
            write.write(chunk)
            rows += 1
            if rows % 10_000 == 0:
                tell(f"copying {table}: {rows} rows")


def _copy_sequences(source: Connection[Any], target: Connection[Any], table: str, columns: list[str]) -> None:
    for column in columns:
        there, here = (_sequence(connection, table, column) for connection in (source, target))
        if here is None:
            continue
        if there is None:
            raise Differs(f"its column {table}.{column} has no sequence")
        value, is_called = _state(source, there)
        target.execute("SELECT setval(%s::regclass, %s, %s)", (here, value, is_called))
        if _state(target, here) != (value, is_called):
            raise Differs(f"the sequence of {table}.{column} differs after it was copied")


def _sequence(connection: Connection[Any], table: str, column: str) -> str | None:
    """Return the quoted name of a column's sequence."""
    quoted = sql.Identifier(table).as_string(connection)
    row = connection.execute("SELECT pg_get_serial_sequence(%s, %s)", (quoted, column)).fetchone()
    return None if row is None else row[0]


def _state(connection: Connection[Any], sequence: str) -> tuple[int, bool]:
    # the name is quoted by PostgreSQL
    row = connection.execute(f"SELECT last_value, is_called FROM {sequence}".encode()).fetchone()  # noqa: S608
    if row is None:
        raise Differs(f"the sequence {sequence} can't be read")
    return int(row[0]), bool(row[1])


def _compare(source: Connection[Any], target: Connection[Any], table: str, columns: list[str]) -> int:
    sent, arrived = (fingerprint(connection, table, columns) for connection in (source, target))
    if sent != arrived:
        raise Differs(
            f"the table {table} differs after it was copied: {sent[0]} rows were sent, and {arrived[0]} arrived"
            + (", with other values" if sent[0] == arrived[0] else "")
        )
    return sent[0]
