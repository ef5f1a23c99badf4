"""`pact-dispatch database ...`: a function for each of its commands, from the options to the exit code."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

from app.commands.database.place import Place
from app.commands.installation import failures_explained
from app.commands.runner import CommandFailed, ExitCode
from app.commands.tables import write_fields
from app.config.values import ConfigurationError
from app.database.connections import migrate
from app.database.database_url import DatabaseUnusable, UrlUnusable, check_url, described
from app.database.embedded.beside import beside, kept, mark_moved, reserved, served
from app.database.embedded.server import joined
from app.database.embedded.unusable import PostgresUnusable
from app.database.transfer.contents import connected, read_contents
from app.database.transfer.dump import MAGIC, DumpUnusable, check_dump, new_file, seal_dump, write_dump
from app.database.transfer.restore import copy_between, restore_embedded, restore_external
from app.database.transfer.target import check_target
from app.database.transfer.upgrade import upgrade
from app.process.environment import DATABASE_URL
from app.process.signals import stop_no_more, stoppable
from broker.http.reason import why
from broker.text.harmless import one_line, write_json
from broker.text.terminal import unguarded
from verifier.report.amounts import count

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from app.commands.runner import Messages
    from app.database.embedded.cluster import Cluster
    from app.database.transfer.contents import Contents
    from app.database.transfer.rows import Copied


@failures_explained()
def run(options: argparse.Namespace, messages: Messages) -> int:
    """Run the command that is named below `database`."""
    if options.database_command is None:
        options.print_help()
        return ExitCode.USAGE
    code: int = ExitCode.INTERRUPTED
    with stoppable():
        try:
            code = _COMMANDS[options.database_command](options, Place.read(options), messages)
        except PostgresUnusable as error:
            raise DatabaseUnusable(str(error)) from error
    if code == ExitCode.INTERRUPTED:
        raise CommandFailed(ExitCode.INTERRUPTED, "interrupted: the database is as it was")
    return code


def _dump(options: argparse.Namespace, place: Place, messages: Messages) -> int:
    """Write a dump."""
    if place.url is None:
        place.check_exists()
    if options.file == "-":
        if sys.stdout.isatty():
            raise ConfigurationError("a dump is nothing for a terminal: name a file, or redirect the output")
        if options.json:
            raise ConfigurationError("--json and the dump can't both go to standard output: name a file")
        with _progress(messages) as tell, _dumpable(place, tell) as (cluster, url, of_server):
            contents = replace(write_dump(cluster, url, sys.stdout.fileno(), tell), **of_server)
        messages.say(f"a dump of {place.description}: {_counted(contents)}. {_KEEP}")
        return ExitCode.DONE
    path = Path(options.file).absolute()
    with (
        _progress(messages) as tell,
        _dumpable(place, tell) as (cluster, url, of_server),
        new_file(path) as file,
    ):
        contents = replace(write_dump(cluster, url, file, tell), **of_server)
        tell("reading it back")
        size = seal_dump(file)
        check_dump(cluster, file)
    if options.json:
        write_json({"file": str(path), "bytes": size, **_document(place, contents)}, sys.stdout)
        return ExitCode.DONE
    messages.say(f"{path}: {_megabytes(size)}, a dump of {place.description}: {_counted(contents)}. {_KEEP}")
    return ExitCode.DONE


def _restore(options: argparse.Namespace, place: Place, messages: Messages) -> int:
    """Put a dump in the place of the database."""
    with _opened(options.file) as file, _progress(messages) as tell, reserved(place.folder) as cluster:
        if place.url is None:
            copied, old = restore_embedded(cluster, file, tell, replaces=options.replace)
        else:
            old = None
            copied = restore_external(cluster, file, place.url, tell, replaces=options.replace)
    if options.json:
        write_json(_outcome(place.description, copied.rows, copied.left_out, old), sys.stdout)
        return ExitCode.DONE
    messages.say(f"{place.description} is restored: {_copied(copied)}")
    _say_left_out(copied, messages)
    if old is not None:
        messages.say(f"what was there before is kept in {old}: delete it when all is well")
    return ExitCode.DONE


def _move(options: argparse.Namespace, place: Place, messages: Messages) -> int:
    """Copy the embedded database to another PostgreSQL."""
    place.check_exists()
    target = place.url if options.to is None else _checked(options.to, messages)
    if target is None:
        raise ConfigurationError(
            f"where to? Set {DATABASE_URL} as the receiver will have it, or give --to URL"
        )
    with _progress(messages) as tell, reserved(place.folder) as cluster:
        check_target(target, replaces=options.replace, name=DATABASE_URL if options.to is None else "--to")
        with served(cluster) as source:
            tell("bringing the tables up to date")
            migrate(source)
            migrate(target)
            copied = copy_between(source, target, tell, replaces=options.replace, before_commit=stop_no_more)
            mark_moved(
                cluster.folder,
                f"the embedded database was moved to {described(target)} at {datetime.now(UTC):%Y-%m-%d %H:%M} "
                f"UTC: set {DATABASE_URL} to that\n",
            )
    if options.json:
        write_json(_outcome(described(target), copied.rows, copied.left_out, place.folder), sys.stdout)
        return ExitCode.DONE
    messages.say(f"moved to {described(target)}: {_copied(copied)}")
    _say_left_out(copied, messages)
    messages.say(
        f"set {DATABASE_URL} to it for all processes of the receiver, and start them. The embedded database stays in "
        f"{place.folder}, and is not started any more: delete the folder when all is well"
    )
    return ExitCode.DONE


def _upgrade(options: argparse.Namespace, place: Place, messages: Messages) -> int:
    """Take over the data of an older version of PostgreSQL."""
    place.check_exists()
    with _progress(messages) as tell, reserved(place.folder) as cluster:
        found = cluster.data_major
        rows, old = ({}, None) if found == cluster.major else upgrade(cluster, options.old_binaries, tell)
    if options.json:
        versions = {"postgresql_before": found, "postgresql": cluster.major}
        write_json({**versions, **_outcome(place.description, rows, (), old)}, sys.stdout)
        return ExitCode.DONE
    if found == cluster.major:
        messages.say(f"nothing to do: the database in {place.folder} is one of PostgreSQL {found} already")
        return ExitCode.DONE
    messages.say(
        f"the database in {place.folder} is one of PostgreSQL {cluster.major} now, with the "
        f"{sum(rows.values())} rows of that of PostgreSQL {found}"
    )
    messages.say(f"the old data are kept in {old}: delete them when all is well")
    return ExitCode.DONE


def _info(options: argparse.Namespace, place: Place, _: Messages) -> int:
    """Show what is in the database."""
    with _running(place) as url, connected(url) as connection:
        contents = read_contents(connection)
    document = _document(place, contents)
    if options.json:
        write_json(document, sys.stdout)
        return ExitCode.DONE
    write_fields(
        (
            ("database", document["database"]),
            ("postgresql", document["postgresql"]),
            ("schema", document["schema_version"] or "no tables of a receiver"),
            ("size", _megabytes(contents.bytes)),
            ("runs", f"{contents.runs}, of which {contents.waiting} wait"),
            ("oldest run", document["oldest_run"]),
            ("deliveries", str(contents.deliveries)),
            *(("kept from before", folder) for folder in document["kept"]),
        ),
        sys.stdout,
    )
    return ExitCode.DONE


_COMMANDS = {"dump": _dump, "restore": _restore, "move": _move, "upgrade": _upgrade, "info": _info}
_KEEP = (
    "It holds what dispatches brought, and the key of the dashboard's sessions: keep it as you keep secrets"
)


@contextmanager
def _running(place: Place) -> Iterator[str]:
    """Yield the URL of a database that is there."""
    if place.url is not None:
        yield place.url
        return
    place.check_exists()
    with joined(place.folder) as (_, url):
        yield url


@contextmanager
def _dumpable(place: Place, tell: Callable[[str], None]) -> Iterator[tuple[Cluster, str, dict[str, Any]]]:
    """Yield an embedded database that can be dumped: another one is copied first, since pg_dump here speaks no TLS.

    Yields:
        The cluster and its URL, and of the contents what only the server has that they come from.
    """
    if place.url is None:
        with joined(place.folder) as (cluster, url):
            yield cluster, url, {}
        return
    with connected(place.url) as connection:
        source = read_contents(connection)
    with reserved(place.folder) as cluster, beside(cluster) as scratch, served(scratch) as url:
        migrate(url)
        copy_between(place.url, url, tell)
        yield scratch, url, {"postgresql": source.postgresql, "bytes": source.bytes}


@contextmanager
def _opened(name: str) -> Iterator[int]:
    """Open a dump.

    Raises:
        DumpUnusable: It is none.
    """
    if name == "-":
        yield sys.stdin.fileno()
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below; what the block raises is none of its errors
    except OSError as error:
        raise DumpUnusable(f"{name} can't be read: {why(error)}") from error
    with file:
        if not Path(name).is_file() or os.pread(file.fileno(), len(MAGIC), 0) != MAGIC:
            raise DumpUnusable(
                f"{name} is no dump in the custom format, as `pact-dispatch database dump` and `pg_dump "
                "--format=custom` write it"
            )
        yield file.fileno()


@contextmanager
def _progress(messages: Messages) -> Iterator[Callable[[str], None]]:
    """Show on a terminal how far it is."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only for a terminal
    from rich.markup import escape  # noqa: PLC0415

    with Console(file=unguarded(sys.stderr), highlight=False).status("starting") as status:
        yield lambda text: status.update(escape(one_line(messages.redacted(text))))


def _checked(url: str, messages: Messages) -> str:
    """Return the URL of `--to`."""
    try:
        checked = check_url(url, "--to")
    except UrlUnusable as error:
        raise ConfigurationError(str(error)) from None
    if password := conninfo_to_dict(checked).get("password"):
        messages.hide(str(password))
        messages.say(
            f"everybody on this machine can read the password in --to while this runs: {DATABASE_URL} or PGPASSFILE "
            "keeps it to yourself"
        )
    return checked


def _document(place: Place, contents: Contents) -> dict[str, Any]:
    oldest = contents.oldest_run
    return {
        "database": place.description,
        "postgresql": contents.postgresql,
        "schema_version": contents.schema_version,
        "database_bytes": contents.bytes,
        "runs": contents.runs,
        "waiting": contents.waiting,
        "deliveries": contents.deliveries,
        "oldest_run": None if oldest is None else oldest.astimezone(UTC).isoformat(timespec="seconds"),
        "kept": [str(folder) for folder in kept(place.folder)] if place.url is None else [],
    }


def _outcome(
    database: str, rows: Mapping[str, int], left_out: Sequence[str], kept_in: Path | None
) -> dict[str, Any]:
    """Return the document of rows that were put into a database.

    Args:
        database: The database, in words.
        rows: The number of rows of each table.
        left_out: The tables and columns that were not copied.
        kept_in: Where is what can be deleted when all is well.
    """
    return {
        "database": database,
        "runs": rows.get("runs", 0),
        "deliveries": rows.get("deliveries", 0),
        "rows": dict(rows),
        "not_copied": list(left_out),
        "kept_in": None if kept_in is None else str(kept_in),
    }


def _counted(contents: Contents) -> str:
    return (
        f"{count(contents.runs, 'run')} ({contents.waiting} waiting), {count(contents.deliveries, 'delivery')}, "
        f"schema {contents.schema_version}, PostgreSQL {contents.postgresql}"
    )


def _copied(copied: Copied) -> str:
    rows = copied.rows
    return (
        f"{count(rows['runs'], 'run')}, {count(rows['deliveries'], 'delivery')}, {sum(rows.values())} rows in "
        f"{len(rows)} tables, compared with where they came from"
    )


def _say_left_out(copied: Copied, messages: Messages) -> None:
    if copied.left_out:
        messages.say(f"not copied, since it is none of the receiver's: {', '.join(copied.left_out)}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
