"""An embedded database of an older version of PostgreSQL, taken over by the one that is installed."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from app.database.connections import migrate
from app.database.database_url import DatabaseUnusable
from app.database.embedded.beside import beside, put_in_place, served
from app.database.embedded.binaries import find_binaries_of
from app.database.transfer.contents import connected
from app.database.transfer.dump import load_dump, write_dump
from app.database.transfer.room import full_disk_named
from app.database.transfer.rows import fingerprints, prepare_session, sequences

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.database.embedded.cluster import Cluster

OTHER_DATABASES = (
    "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1"
)


def upgrade(
    cluster: Cluster, old_binaries: Path | None, tell: Callable[[str], None]
) -> tuple[dict[str, int], Path | None]:
    """Have the installed version of PostgreSQL take over the data of an older one.

    The old data stay as they are, under another name once the new ones were compared with them.

    Args:
        cluster: The cluster, which is kept to this process.
        old_binaries: The programs of the older version; None if they are to be found.
        tell: Is told how far it is.

    Returns:
        The number of rows of each table, and where the old data are.

    Raises:
        DatabaseUnusable: It can't be done; the old data are as they were.
        PostgresUnusable: Likewise.
    """
    found = cluster.data_major
    if found is None:
        raise DatabaseUnusable(f"there is no database in {cluster.folder}")
    if found > cluster.major:
        raise DatabaseUnusable(
            f"{cluster.data} was made by PostgreSQL {found}, and this is {cluster.major}: install the version of "
            "pact-dispatch that made it, or a later one"
        )
    old = replace(cluster, binaries=find_binaries_of(found, old_binaries), major=found)
    old.account.check_reach(old.binaries)
    _check_space(cluster)
    tell(f"starting PostgreSQL {found}")
    with served(old) as source, beside(cluster) as new, full_disk_named(new.folder):
        with served(new) as target:
            _refuse_other_databases(source)
            tell("copying")
            _copy(replace(old, binaries=new.binaries), source, new, target)
            rows = _compare(source, target, tell)
            tell("bringing the tables up to date")
            migrate(target)
        old.stop()
        return rows, put_in_place(cluster, new, keeps=True)


def _check_space(cluster: Cluster) -> None:
    needed = sum(file.stat().st_size for file in cluster.data.rglob("*") if file.is_file())
    free = shutil.disk_usage(cluster.folder).free
    if free < needed:
        raise DatabaseUnusable(
            f"the old data stay until the new ones are complete, and these need up to {needed / 1e6:.0f} MB beside "
            f"them: in {cluster.folder} are {free / 1e6:.0f} MB free"
        )


def _refuse_other_databases(source: str) -> None:
    with connected(source) as connection:
        others = [name for (name,) in connection.execute(OTHER_DATABASES).fetchall()]
    if others:
        raise DatabaseUnusable(
            f"the server has databases that are none of the receiver's ({', '.join(others)}): move them elsewhere first"
        )


def _copy(old: Cluster, source: str, new: Cluster, target: str) -> None:
    """Hand a dump of one database on to another one, without a file between them."""
    read, write = os.pipe()
    failures: list[Exception] = []

    def dump() -> None:
        try:
            write_dump(old, source, write)
        except Exception as error:  # noqa: BLE001 - raised again below
            failures.append(error)
        finally:
            os.close(write)

    dumping = threading.Thread(target=dump)
    dumping.start()
    try:
        load_dump(new, target, read)
    except DatabaseUnusable as error:
        failures.append(error)
    finally:
        with suppress(OSError):
            os.close(read)
        dumping.join()
    if failures:
        raise failures[0]


def _compare(source: str, target: str, tell: Callable[[str], None]) -> dict[str, int]:
    tell("comparing")
    with connected(source) as before, connected(target) as after:
        for connection in (before, after):
            prepare_session(connection)
        there, here = fingerprints(before), fingerprints(after)
        different = sorted(table for table in there | here if there.get(table) != here.get(table))
        if different or sequences(before) != sequences(after):
            raise DatabaseUnusable(
                f"what was copied differs from what is in the old database ({', '.join(different) or 'sequences'}), "
                "so nothing was changed"
            )
    return {table: count for table, (count, _) in here.items()}
