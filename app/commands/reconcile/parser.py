"""`pact-dispatch reconcile`: queue what a webhook failed to ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_receiver_options

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Ask the Pact Broker which pacts lack a result, and queue those: a webhook that failed without anybody noticing then
costs minutes. Looked at are the pacts of each consumer's main branch, and those deployed or released: for the version
that runs of a provider that runs, and of a checkout for the latest version of its main branch and each that is deployed
or released. The worker does the same every so many minutes ([reconcile] of the configuration).

A pact of which a run waits or runs is left to that run. One that was tried and still has no result is queued again
after an hour, then after two, four and so on, at most once a day.

With --consumer and --version, the pacts of that consumer version alone are looked at, whatever its branch. They are
queued also if they were tried a moment ago. So a pact that is no longer the latest one gets its result.

The database is the receiver's, which must be there: that of DATABASE_URL, or the one in the receiver's data directory.
"""

EPILOG = """\
exit codes:
  0  the broker was asked, and what lacked a result is queued
  2  the options or the configuration can't be used
  3  the broker, the database or a provider could not be asked; the others were looked at
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "reconcile",
        help="queue pacts that lack a result, as after a webhook that failed",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    add_receiver_options(parser)
    parser.add_argument("--provider", metavar="NAME", help="look at this one alone; all of them unless given")
    parser.add_argument(
        "--consumer", metavar="NAME", help="look at the pacts of one version of this consumer alone"
    )
    parser.add_argument("--version", metavar="VERSION", help="that version of the consumer")
    parser.add_argument("--dry-run", action="store_true", help="say what would be queued, and queue nothing")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
