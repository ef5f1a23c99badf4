"""`pact-dispatch migrate`: bring the tables of the database up to date, and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_receiver_options

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Make the tables of the receiver's database, or bring those of an older version up to date, and end: the first step of an
upgrade with several machines. With DATABASE_URL it needs no configuration.

serve, web and worker do the same when they start. With --no-migrate, web and worker wait for this command instead, and
their role in the database needs no right to make tables.
Any number may run at once: one migrates, the others wait for it.
"""

EPILOG = """\
exit codes:
  0    the tables are up to date
  2    the options or the configuration can't be used
  3    the database can't be reached, or refuses; or another version of pact-dispatch has made its tables
  130  interrupted
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "migrate",
        help="bring the tables of the database up to date, and end",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    add_receiver_options(parser)
