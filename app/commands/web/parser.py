"""`pact-dispatch web`: the endpoint alone, for machines of its own."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from app.commands.options import add_bind_to, add_log_level, add_no_migrate, add_receiver_options

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Answer POST /repos/OWNER/REPO/dispatches and POST /github/events, and put what is accepted into the queue.
Any number may share one database (DATABASE_URL) with any number of workers. SIGHUP, or `pact-dispatch reload`, has
it take its configuration anew.
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "web",
        help="accept dispatches and queue them: the web side of serve",
        description=DESCRIPTION,
    )
    add_receiver_options(parser)
    add_log_level(parser)
    add_no_migrate(parser)
    add_bind_to(parser)
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)  # a socket that is bound already
