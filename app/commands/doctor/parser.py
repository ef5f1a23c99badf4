"""`pact-dispatch doctor`: why is `can-i-deploy` still waiting?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.dispatch_url import GITHUB_API
from app.commands.options import add_broker_options, add_github_url, add_receiver_url

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Why is can-i-deploy still waiting? Looks at each link of the chain from a changed pact to its result, in order, and
names the first that is broken, and how to fix it. It only reads.

  pact -> the provider's versions -> webhook -> delivery -> GitHub's token, repository, workflow and runs, \
or the receiver, its deliveries and runs -> result

Each link is ok, a warning (the chain holds, or it is not over yet), broken, or unknown: it could not be looked at, and
what is needed for that is said.
"""

EPILOG = """\
examples:
  the latest pact of each consumer with the provider Products:
    pact-dispatch doctor --provider Products

  the version whose can-i-deploy is waiting, with all its providers:
    pact-dispatch doctor --consumer Storefront --version 1.0.0

  with GitHub's side of it (the token only needs to read; best of all it is the webhook's own):
    PACT_DISPATCH_GITHUB_TOKEN=... pact-dispatch doctor --consumer Storefront --version 1.0.0

  with a receiver's side of it:
    PACT_DISPATCH_API_TOKEN=... pact-dispatch doctor --provider Products --receiver-url https://dispatch.example.org

environment:
  PACT_DISPATCH_GITHUB_TOKEN   (else GITHUB_TOKEN) goes to --github-url and nowhere else
  PACT_DISPATCH_API_TOKEN      goes to --receiver-url and nowhere else

exit codes:
  0  no broken link was found
  1  there is one; it is named first
  2  the command is wrong
  3  the broker could not be asked
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "doctor",
        help="find out why can-i-deploy is still waiting",
        description=DESCRIPTION,
        epilog=EPILOG,
        allow_abbrev=False,
    )
    asked = parser.add_argument_group("what to look at")
    asked.add_argument("--provider", metavar="NAME", help="the latest pact of each of its consumers")
    asked.add_argument("--consumer", metavar="NAME", help="the consumer whose version is waiting")
    asked.add_argument("--version", metavar="VERSION", help="that version; with --provider that pact alone")
    add_github_url(parser, default=GITHUB_API)
    add_receiver_url(parser)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_broker_options(parser)
