"""`pact-dispatch check-config`: print what a configuration means, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_receiver_options

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Read the configuration and the environment as the receiver does, and explain what they mean, without showing a secret.
All mistakes are reported at once, with the file and the key. Warnings are about what works but is perhaps not meant.
Of more than 20 providers a summary is printed, and what is the same of many in one line; --json has all of it.
Nothing is started or created, and with --online only the broker is asked.
"""

EPILOG = """\
exit codes:
  0  it can be used (there may be warnings)
  2  it can't
  3  --online: the broker is away, refuses the credentials, or knows no such provider
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "check-config",
        help="explain the configuration, and report its mistakes",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    add_receiver_options(parser)
    parser.add_argument(
        "--provider",
        metavar="NAME",
        help="all about this one, and nothing else (default: the whole configuration)",
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument(
        "--online", action="store_true", help="ask the broker whether it is there and knows the providers"
    )
