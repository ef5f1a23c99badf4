"""`pact-dispatch serve`: the whole receiver in one command."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from app.commands import receiver_options
from app.commands.options import add_bind_to

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Run the receiver: the endpoint that a Pact Broker's webhook sends dispatches to, a worker (or several) that verifies
them and publishes the results, and a PostgreSQL in the data directory unless DATABASE_URL names one.
SIGTERM or Ctrl-C stops it; runs that are under way are finished or handed back, and go on at the next start.
"""

EXAMPLE = """\
example:
  export PACT_BROKER_TOKEN=... PACT_DISPATCH_TOKENS=broker:$(openssl rand -hex 20)
  pact-dispatch check-config --config pact-dispatch.toml
  pact-dispatch serve --config pact-dispatch.toml --data-dir /var/lib/pact-dispatch --bind 127.0.0.1:8000

secrets, from the environment or from the file that NAME_FILE names:
  PACT_DISPATCH_TOKENS          NAME:TOKEN[,NAME:TOKEN...], who may dispatch
  PACT_DISPATCH_API_TOKENS      the same, for /api
  PACT_DISPATCH_WEBHOOK_SECRET  signs what GitHub sends to /github/events
  PACT_BROKER_TOKEN             or PACT_BROKER_USERNAME and PACT_BROKER_PASSWORD
  PACT_DISPATCH_GITHUB_TOKEN    or PACT_DISPATCH_GITHUB_PRIVATE_KEY of an App: for commit statuses and the relay
  DATABASE_URL                  postgresql://...
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "serve",
        help="run the receiver: endpoint, worker and database",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    receiver_options.add_to(parser)
    add_bind_to(parser)
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        choices=range(1, 33),
        metavar="N",
        help="worker processes, each with as many runs at once as the configuration says (default: %(default)s)",
    )
    parser.set_defaults(run=receiver_options.guarded("serve", _run))


def _run(options: argparse.Namespace) -> int:
    from app.process.supervision import stoppable  # noqa: PLC0415 - see app.commands

    with stoppable():
        _serve(options)
    return 0


def _serve(options: argparse.Namespace) -> None:
    from app.database.connections import database, migrate  # noqa: PLC0415 - see app.commands
    from app.github.client import github_access  # noqa: PLC0415
    from app.process.logs import configure  # noqa: PLC0415
    from app.process.supervision import STOP_MARGIN_SECONDS, Supervisor  # noqa: PLC0415
    from app.web.server import check_secrets  # noqa: PLC0415
    from broker.http.listening import bind  # noqa: PLC0415

    place = receiver_options.find(options)
    github_access(place.settings, os.environ)  # a mistake in it is said here, and not by each worker
    for warning in check_secrets(os.environ):
        print(f"pact-dispatch serve: {warning}", file=sys.stderr)
    listener = bind(*options.bind)
    configure()
    with database(place.database_url, place.data_dir) as conninfo:
        migrate(conninfo, wait=receiver_options.MIGRATE_SECONDS)
        where = ["--config", str(place.config), "--data-dir", str(place.data_dir)]
        supervisor = Supervisor(place.settings.worker.stop_seconds + STOP_MARGIN_SECONDS)
        supervisor.add("web", ["web", *where, "--fd", str(listener.fileno())], pass_fds=(listener.fileno(),))
        for number in range(1, options.workers + 1):
            supervisor.add(f"worker {number}", ["worker", *where])
        supervisor.run()
