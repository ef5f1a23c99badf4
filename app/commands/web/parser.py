"""`pact-dispatch web`: the endpoint alone, for machines of its own."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from typing import TYPE_CHECKING

from app.commands import receiver_options
from app.commands.options import add_bind_to

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Answer POST /repos/OWNER/REPO/dispatches and POST /github/events, and put what is accepted into the queue.
Any number may share one database (DATABASE_URL) with any number of workers.
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "web",
        help="take dispatches and put them into the queue",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    receiver_options.add_to(parser)
    add_bind_to(parser)
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)  # a socket that is bound already
    parser.set_defaults(run=receiver_options.guarded("web", _run))


def _run(options: argparse.Namespace) -> int:
    from app.database.connections import database, migrate  # noqa: PLC0415 - see app.commands
    from app.process.supervision import follow_supervisor  # noqa: PLC0415
    from app.web.server import Web, check_secrets  # noqa: PLC0415
    from broker.http.listening import bind  # noqa: PLC0415

    place = receiver_options.find(options)
    if options.fd is None:
        for warning in check_secrets(os.environ):
            print(f"pact-dispatch web: {warning}", file=sys.stderr)
    listener = bind(*options.bind) if options.fd is None else socket.socket(fileno=options.fd)
    with database(place.database_url, place.data_dir) as conninfo:
        migrate(conninfo, wait=receiver_options.MIGRATE_SECONDS)
        follow_supervisor()
        Web(place.settings, conninfo=conninfo, listener=listener, environment=dict(os.environ)).run()
    return 0
