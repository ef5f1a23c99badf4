"""`pact-dispatch worker`: a worker alone, for several of them, or for machines of their own."""

from __future__ import annotations

import argparse
import asyncio
import os
from typing import TYPE_CHECKING

from app.commands import receiver_options

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Take dispatches from the queue, verify them, and publish the results.
Any number of workers may share one database (DATABASE_URL). SIGTERM: no new run is begun, and running ones are
finished or handed back. Exit code 1 when the database is lost: start it again.
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "worker",
        help="verify what is in the queue",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    receiver_options.add_to(parser)
    parser.set_defaults(run=receiver_options.guarded("worker", _run))


def _run(options: argparse.Namespace) -> int:
    from app.config.settings import broker_access  # noqa: PLC0415 - see app.commands
    from app.database.connections import database, migrate  # noqa: PLC0415
    from app.github.client import GitHub, github_access  # noqa: PLC0415
    from app.intake.acceptance import RELAY_USER_AGENT  # noqa: PLC0415
    from app.process.logs import configure  # noqa: PLC0415
    from app.process.supervision import follow_supervisor  # noqa: PLC0415
    from app.worker.process import Worker  # noqa: PLC0415

    place = receiver_options.find(options)
    github = github_access(place.settings, os.environ)
    configure()
    follow_supervisor()
    with database(place.database_url, place.data_dir) as conninfo:
        migrate(conninfo, wait=receiver_options.MIGRATE_SECONDS)

        async def work() -> None:
            worker = Worker(
                place.settings,
                broker_access(place.settings, os.environ),
                conninfo=conninfo,
                data_dir=place.data_dir,
                environment=dict(os.environ),
                github=None if github is None else GitHub(github, user_agent=RELAY_USER_AGENT),
            )
            await worker.run()

        asyncio.run(work())
    return 0
