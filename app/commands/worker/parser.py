"""`pact-dispatch worker`: a worker alone, for several of them, or for machines of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_log_level, add_no_migrate, add_receiver_options

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Take dispatches from the queue, verify them, and publish the results.
Any number of workers may share one database (DATABASE_URL). SIGTERM: no new run is begun, and running ones are
finished or handed back. SIGHUP, or `pact-dispatch reload`, has it take its configuration anew. Exit code 1 when the
database is lost: start it again.
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "worker",
        help="verify what is queued: the worker of serve",
        description=DESCRIPTION,
    )
    add_receiver_options(parser)
    add_log_level(parser)
    add_no_migrate(parser)
