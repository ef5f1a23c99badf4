"""A dump in the place of a receiver's database.

What a dump says is done in a database of its own, on a server of its own, by a user who may do nothing else; only the
values that are there then go on, into tables that the migrations have made. So a damaged dump, or one that somebody has
put functions into, can harm neither the database that is in use nor the one that takes its place.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from app.database.connections import lacks_migrations, migrate
from app.database.database_url import DatabaseUnusable, described, one_line
from app.database.embedded.beside import LOADING, MOVED, beside, put_in_place, served
from app.database.transfer.contents import connected, read_contents
from app.database.transfer.dump import DumpUnusable, check_dump, load_dump
from app.database.transfer.room import full_disk_named
from app.database.transfer.rows import Copied, Differs, copy_rows
from app.database.transfer.target import check_empty, check_target
from app.process.signals import stop_no_more

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from app.database.embedded.cluster import Cluster

ROLE = "restoring"
DATABASE = "restored"
WHERE = """
SELECT nspname FROM pg_class JOIN pg_namespace AS schema ON schema.oid = relnamespace
WHERE relname = 'schema_versions' AND relkind = 'r' AND nspname <> 'pg_catalog'
"""
VALUES, REST = ("pre-data", "data"), ("post-data",)
"""The sections of a dump: tables with their rows; indexes, references and triggers, which only a migration needs."""
FAST = LOADING | {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""Settings of a server whose data are thrown away."""


def restore_embedded(
    cluster: Cluster, descriptor: int, tell: Callable[[str], None], *, replaces: bool
) -> tuple[Copied, Path | None]:
    """Put what is in a dump in the place of an embedded database that is kept to this process.

    Args:
        cluster: Its cluster.
        descriptor: Where the dump can be read.
        tell: Is told how far it is.
        replaces: Whether a database that has runs may be replaced.

    Returns:
        What was copied, and where the data are that were replaced, if there were any.

    Raises:
        DatabaseUnusable: It can't be done; the old data are as they were.
        PostgresUnusable: Likewise.
    """
    check_dump(cluster, descriptor)
    is_empty = _is_empty(cluster, replaces=replaces)
    with beside(cluster) as new, full_disk_named(new.folder):
        with served(new) as target:
            with _loaded(new, target, descriptor, tell) as source:
                migrate(target)
                copied = copy_between(source, target, tell)
            with connected(target) as connection:
                connection.execute(f"DROP DATABASE {DATABASE}")
                connection.execute(f"DROP ROLE {ROLE}")
        kept = put_in_place(cluster, new, keeps=not is_empty)
    (cluster.folder / MOVED).unlink(missing_ok=True)
    return copied, kept


def restore_external(
    cluster: Cluster, descriptor: int, target: str, tell: Callable[[str], None], *, replaces: bool
) -> Copied:
    """Put what is in a dump into another database, in one transaction; no signal to stop interrupts its commit.

    Args:
        cluster: An embedded cluster that is kept to this process, beside which the dump is looked at.
        descriptor: Where the dump can be read.
        target: The database.
        tell: Is told how far it is.
        replaces: Whether what it has is replaced.

    Raises:
        DatabaseUnusable: It can't be done; what the database had is as it was.
        PostgresUnusable: Likewise.
    """
    check_dump(cluster, descriptor)
    check_target(target, replaces=replaces)
    with (
        beside(cluster, FAST) as scratch,
        full_disk_named(scratch.folder),
        served(scratch) as url,
        _loaded(scratch, url, descriptor, tell) as source,
    ):
        migrate(target)
        return copy_between(source, target, tell, replaces=replaces, before_commit=stop_no_more)


def copy_between(
    source: str,
    target: str,
    tell: Callable[[str], None],
    *,
    replaces: bool = True,
    before_commit: Callable[[], None] = lambda: None,
) -> Copied:
    """Replace all rows of a database by those of another one, and compare the two.

    Args:
        source: The other one.
        target: The database.
        tell: Is told how far it is.
        replaces: Whether what it has is replaced; it was looked at before, which may be long ago.
        before_commit: Is called when all is copied and compared, and nothing is changed yet.

    Raises:
        DatabaseUnusable: It can't be done; what the database had is as it was.
    """
    with connected(source) as reading, connected(target) as writing:
        try:
            return copy_rows(
                reading,
                writing,
                tell,
                lambda: check_empty(writing, target, replaces=replaces),
                before_commit,
            )
        except Differs as error:
            raise DatabaseUnusable(f"what is to be copied can't be taken over: {error}") from error
        except InsufficientPrivilege as error:
            raise DatabaseUnusable(
                f"a role lacks a right to copy {described(source)} into {described(target)}: {one_line(error)}; do "
                "it as the role that owns the tables, with which `pact-dispatch migrate` made them"
            ) from error


def _is_empty(cluster: Cluster, *, replaces: bool) -> bool:
    """Return whether there is nothing to keep of an embedded database.

    Raises:
        DatabaseUnusable: There is, and it is not to be replaced.
    """
    found = cluster.data_major
    if found is None:
        return True
    if found != cluster.major:
        if replaces:
            return False
        raise DatabaseUnusable(
            f"there is a database of PostgreSQL {found} in {cluster.folder}: take it over with `pact-dispatch database "
            "upgrade`, or put the dump in its place with --replace"
        )
    with served(cluster) as url, connected(url) as connection:
        contents = read_contents(connection)
    if not contents.is_empty and not replaces:
        raise DatabaseUnusable(
            f"the database in {cluster.folder} has runs ({contents.runs}) or deliveries ({contents.deliveries}), so "
            "nothing was done: --replace puts the dump in its place, and keeps it under another name"
        )
    return contents.is_empty


@contextmanager
def _loaded(scratch: Cluster, url: str, descriptor: int, tell: Callable[[str], None]) -> Iterator[str]:
    """Do what a dump says, and bring its tables up to date.

    Args:
        scratch: The cluster that it is done in, whose server nobody else uses.
        url: The superuser's URL for it.
        descriptor: Where the dump can be read.
        tell: Is told how far it is.

    Yields:
        The URL of the database, as a user who owns it and nothing else.
    """
    restricted = url.replace("postgres@/postgres?", f"{ROLE}@/{DATABASE}?")
    with connected(url) as connection:
        connection.execute(f"CREATE ROLE {ROLE} LOGIN")
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
    tell("reading the dump")
    is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
    load_dump(scratch, restricted, descriptor, sections=VALUES if is_file else ())
    with connected(restricted) as connection:
        schemas = [name for (name,) in connection.execute(WHERE).fetchall()]
        if len(schemas) != 1:
            raise DumpUnusable("it is no dump of a receiver's database: it has no table schema_versions")
        path = sql.SQL("ALTER ROLE {} SET search_path = {}")
        connection.execute(path.format(sql.Identifier(ROLE), sql.Identifier(schemas[0])))
    try:
        if is_file and lacks_migrations(restricted):
            load_dump(scratch, restricted, descriptor, sections=REST)
        tell("bringing its tables up to date")
        migrate(restricted)
    except DumpUnusable:
        raise
    except DatabaseUnusable as error:
        said = str(error).removeprefix("the tables of ").partition(") ")[2] or str(error)
        raise DumpUnusable(f"the dump's database {said}") from error
    yield restricted
