"""`pact-dispatch deliveries`: the deliveries of a receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_json, add_limit, add_receiver_url

if TYPE_CHECKING:
    import argparse

    from app.commands import Commands

DESCRIPTION = """\
See which requests brought a receiver its dispatches, which it refused and why, and have one delivered again.
"""

EPILOG = """\
examples:
  why did nothing happen when the webhook was sent?
    pact-dispatch deliveries list --receiver-url https://dispatch.example.org
    pact-dispatch deliveries show DELIVERY

  deliver it again, now that the configuration is right:
    pact-dispatch deliveries redeliver DELIVERY

environment:
  PACT_DISPATCH_RECEIVER_URL  the same as --receiver-url
  PACT_DISPATCH_API_TOKEN     one of the receiver's PACT_DISPATCH_API_TOKENS; goes to the receiver and nowhere else

exit codes:
  0  done
  2  the command is wrong
  3  could not: the receiver is away, refused it, or has no such delivery
"""

REDELIVER = """\
Have the dispatch of a delivery carried out again, as a new delivery, under the receiver's configuration as it is now.
"""


def add_to(commands: Commands) -> None:
    """Add the command and those below it."""
    deliveries = commands.add_parser(
        "deliveries",
        help="see what a receiver was sent and refused, and repeat it",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    deliveries.set_defaults(print_help=deliveries.print_help)
    below = deliveries.add_subparsers(dest="deliveries_command", metavar="COMMAND")
    listing = _add(below, "list", "list deliveries, the newest first")
    chosen = listing.add_argument_group("which")
    chosen.add_argument(
        "--source", choices=("api", "github", "redelivery", "reconcile"), help="those that came this way"
    )
    chosen.add_argument(
        "--refusal", metavar="REASON", help="those refused for this reason, such as bad-token"
    )
    chosen.add_argument("--repository", metavar="OWNER/REPO", help="those for this repository")
    add_limit(chosen)
    add_json(listing)
    for name, text, description in (
        ("show", "show a delivery with its payload", None),
        ("redeliver", "have a delivery's dispatch carried out again", REDELIVER),
    ):
        parser = _add(below, name, text, description)
        parser.add_argument("id", metavar="DELIVERY", help="the delivery's id, as deliveries list shows it")
        add_json(parser)


def _add(commands: Commands, name: str, text: str, description: str | None = None) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=text, description=description or f"{text[0].upper()}{text[1:]}.", allow_abbrev=False
    )
    add_receiver_url(parser)
    return parser
