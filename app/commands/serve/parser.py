"""`pact-dispatch serve`: the whole receiver in one command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_bind_to, add_log_level, add_receiver_options

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Run the receiver: the endpoint that a Pact Broker's webhook sends dispatches to, a worker (or several) that verifies
them and publishes the results, and a PostgreSQL in the data directory unless DATABASE_URL names one.
SIGTERM or Ctrl-C stops it; runs that are under way are finished or handed back, and go on at the next start.
SIGHUP, or `pact-dispatch reload`, has it take its configuration anew.
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

traces are sent to OTEL_EXPORTER_OTLP_ENDPOINT, if that is set, by OpenTelemetry (the extra otel)
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "serve",
        help="run the receiver: endpoint, worker and database",
        description=DESCRIPTION,
        epilog=EXAMPLE,
    )
    add_receiver_options(parser)
    add_log_level(parser)
    add_bind_to(parser)
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        choices=range(1, 33),
        metavar="N",
        help="worker processes, each with as many runs at once as the configuration says (default: %(default)s)",
    )
