"""`pact-dispatch notify`: who is told of changes of outcome, and whether messages arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_receiver_options

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Print who is told of changes of outcome, and of which providers: Slack, Microsoft Teams, or any URL, by the
configuration's [notify] and [providers.notify]. With --test, send each of them a message that says it is a test, and
print what came back.

The URLs are secrets: only their hosts are printed. The database is not used, and nothing is stored.
"""

EPILOG = """\
exit codes:
  0  done: with --test, each target has taken the message
  2  the options or the configuration can't be used
  3  a target did not take the message
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "notify",
        help="print who is told of changes of outcome, and try it",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    add_receiver_options(parser)
    parser.add_argument(
        "--provider", metavar="NAME", help="only those who are told of this one (default: of all)"
    )
    parser.add_argument("--test", action="store_true", help="send each of them a test message")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
