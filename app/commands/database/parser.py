"""`pact-dispatch database`: dump, restore, move and upgrade a receiver's database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.options import add_json, add_receiver_options
from app.process.environment import DATABASE_URL

if TYPE_CHECKING:
    import argparse

    from app.commands import Commands

DESCRIPTION = """\
Dump a receiver's database to a file, restore it from one, move it to another PostgreSQL, or take over what an older
version of PostgreSQL has written. The database is the embedded one in the data directory, or that of DATABASE_URL.
"""

EPILOG = """\
examples:
  back up every night, while the receiver runs:
    pact-dispatch database dump --data-dir /var/lib/pact-dispatch /backup/pact-dispatch.dump

  bring it back, on this machine or another one (the receiver is stopped):
    pact-dispatch database restore --data-dir /var/lib/pact-dispatch /backup/pact-dispatch.dump

  move it to a PostgreSQL of yours:
    export DATABASE_URL=postgresql://pact_dispatch:PASSWORD@db.example.org/pact_dispatch?sslmode=verify-full
    pact-dispatch database move --data-dir /var/lib/pact-dispatch

environment:
  DATABASE_URL           the database, if it isn't the embedded one; for move, where to; or DATABASE_URL_FILE
  PACT_DISPATCH_DATA_DIR the same as --data-dir
  PGPASSFILE, PGPASSWORD the password for DATABASE_URL or --to, if it is not in there

A dump holds what dispatches brought with them, and the key that signs the dashboard's sessions: keep it as you keep
secrets. The configuration, the secrets of the environment and the checkouts are not in it.

exit codes:
  0    done
  2    the command or the configuration is wrong
  3    could not: the message says why, and the database is as it was
  130  interrupted: the database is as it was
"""

DUMP = """\
Write the database as it is at this moment to a file, in the custom format of pg_dump, which pg_restore reads, too. The
receiver goes on meanwhile. The file can be read by you alone, has its name only when it is complete, and was read back.
"""

RESTORE = """\
Put a dump in the place of the database. The receiver must be stopped. The dump is looked at beside the database, which
changes only when all was found to be right; a dump of an older version of pact-dispatch is brought up to date.
Runs that waited when it was written go on when the receiver starts.
"""

MOVE = """\
Copy the embedded database to another PostgreSQL (13 or later), and compare the two. The receiver must be stopped. The
user there needs a database of its own, and no other rights. The embedded database stays as it is, and refuses to start
from then on, so that nothing is accepted into it by mistake.
"""

UPGRADE = """\
Have the PostgreSQL that is installed take over the data of an older version, which must be on this machine, too. The
receiver must be stopped. The old data stay under another name. Interrupted, it can be started again.
"""

INFO = """\
Show the size of the database, its versions, and how many runs it has since when.
"""


def add_to(commands: Commands) -> None:
    """Add the command and those below it."""
    database = commands.add_parser(
        "database",
        help="dump, restore, move and upgrade the receiver's database",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    database.set_defaults(print_help=database.print_help)
    below = database.add_subparsers(dest="database_command", metavar="COMMAND")
    dump = _add(below, "dump", "write the database to a file, while it is used", DUMP)
    dump.add_argument("file", metavar="FILE", help="where to write; - is standard output")
    add_json(dump)
    restore = _add(below, "restore", "put a dump in the place of the database", RESTORE)
    restore.add_argument("file", metavar="FILE", help="the dump; - is standard input")
    _add_replace(
        restore,
        "even if the database has runs; an embedded one is kept under another name, what another one has is lost",
    )
    add_json(restore)
    move = _add(below, "move", "copy the embedded database to another PostgreSQL", MOVE)
    move.add_argument(
        "--to",
        metavar="URL",
        help=f"where to ({DATABASE_URL}); with a password in PGPASSFILE: everybody can read command lines",
    )
    _add_replace(move, "even if the database there has runs, which are lost then")
    add_json(move)
    upgrade = _add(below, "upgrade", "take over the data of an older version of PostgreSQL", UPGRADE)
    upgrade.add_argument(
        "--old-binaries",
        type=Path,
        metavar="DIR",
        help="the folder of the older version's programs (default: where they are usually)",
    )
    add_json(upgrade)
    info = _add(below, "info", "show what is in the database", INFO)
    add_json(info)


def _add_replace(parser: argparse.ArgumentParser, meaning: str) -> None:
    parser.add_argument("--replace", action="store_true", help=meaning)


def _add(commands: Commands, name: str, text: str, description: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=description, allow_abbrev=False)
    add_receiver_options(parser)
    return parser
