"""`pact-dispatch wait`: wait until a version may be deployed, and say why it may not yet."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from app.commands.dispatch_url import GITHUB_API
from app.commands.options import (
    add_broker_options,
    add_github_url,
    add_json,
    add_log_level_of_client,
    add_receiver_url,
)

if TYPE_CHECKING:
    from app.commands import Commands

DEFAULT_SECONDS = 900.0

DESCRIPTION = """\
Wait until a version may be deployed to an environment: until each provider there has a result for its pact. Asks the
broker as pact broker can-i-deploy does. While a result is missing, it looks for the reason along the way from the
published pact to its result, as pact-dispatch doctor does, and says what it found and what to do.

It ends at once when a verification has failed, since other results can't change that any more.
"""

EPILOG = """\
examples:
  in the pipeline of a consumer, after its pacts are published:
    pact-dispatch wait --pacticipant Storefront --version "$(git rev-parse HEAD)" --to-environment production

  with GitHub's side, or a receiver's, of why a result is missing:
    PACT_DISPATCH_GITHUB_TOKEN=... pact-dispatch wait ...
    PACT_DISPATCH_API_TOKEN=... pact-dispatch wait ... --receiver-url https://dispatch.example.org

environment:
  PACT_DISPATCH_GITHUB_TOKEN   (else GITHUB_TOKEN) goes to --github-url and nowhere else
  PACT_DISPATCH_API_TOKEN      goes to --receiver-url and nowhere else

exit codes:
  0  it may be deployed
  1  it may not: a verification failed
  2  the command is wrong
  3  it is not known: a result was missing when the time was over, the broker doesn't know the version, or could not be
     asked
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "wait",
        help="wait until a version may be deployed, and say why it can't be yet",
        description=DESCRIPTION,
        epilog=EPILOG,
        allow_abbrev=False,
    )
    asked = parser.add_argument_group("what to wait for")
    asked.add_argument("--pacticipant", required=True, metavar="NAME", help="what is to be deployed")
    asked.add_argument("--version", required=True, metavar="VERSION", help="its version")
    asked.add_argument("--to-environment", required=True, metavar="NAME", help="where it is to be deployed")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=DEFAULT_SECONDS,
        metavar="SECONDS",
        help=f"how long to wait, at most; 0 asks once (default: {DEFAULT_SECONDS:g})",
    )
    add_github_url(parser, default=GITHUB_API)
    add_receiver_url(parser)
    add_json(parser)
    add_log_level_of_client(parser)
    add_broker_options(parser)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 7 * 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, such as 900")
    return seconds
