"""`pact-dispatch reconcile`: queue what a webhook failed to ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_receiver_options

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Ask the Pact Broker which pacts have no result, and queue them, so that a webhook which failed unnoticed does no harm.
The workers do the same every few minutes ([reconcile] in the configuration).

It looks at the latest pacts of each consumer's main branch, and at those deployed or released. For a provider that
runs, results of the running version are needed; for one that is checked out, of the latest version of its main branch,
and of those deployed or released.

A pact that is waiting or running is not queued again. One that was tried without a result is queued again after an
hour, then after two, four and so on, at most once a day.

With --consumer and --version, only the pacts of that consumer version are looked at, whatever its branch. They are
queued even if they were tried a moment ago. So a pact that is no longer the latest one gets its result.

It uses the receiver's database, which must exist: DATABASE_URL, or the one in the data directory.
"""

EPILOG = """\
exit codes:
  0    done: pacts without a result are queued
  2    the options or the configuration can't be used
  3    the broker, the database or a provider could not be asked; the others were
  130  interrupted
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "reconcile",
        help="queue pacts that have no result, as after a failed webhook",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    add_receiver_options(parser)
    parser.add_argument("--provider", metavar="NAME", help="only this one (default: all)")
    parser.add_argument("--consumer", metavar="NAME", help="only the pacts of one version of this consumer")
    parser.add_argument("--version", metavar="VERSION", help="that version of the consumer")
    parser.add_argument("--dry-run", action="store_true", help="say what would be queued, and queue nothing")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
