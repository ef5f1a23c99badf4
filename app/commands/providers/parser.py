"""`pact-dispatch providers`: the providers of a receiver, and pausing one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_json, add_receiver_url

if TYPE_CHECKING:
    import argparse

    from app.commands import Commands

DESCRIPTION = """\
See how the providers of a receiver stand, and keep the runs of one back while it can't be verified.
"""

EPILOG = """\
examples:
  which are paused, what waits, and how did the latest run of each end?
    pact-dispatch providers list --receiver-url https://dispatch.example.org

  keep the runs of one back while its environment is rebuilt:
    pact-dispatch providers pause Products --reason 'a new database until noon'
    pact-dispatch providers resume Products

environment:
  PACT_DISPATCH_RECEIVER_URL  the same as --receiver-url
  PACT_DISPATCH_API_TOKEN     one of the receiver's PACT_DISPATCH_API_TOKENS (one that is read-only can't pause and
                              resume); goes to the receiver and nowhere else

exit codes:
  0  done, or it was so before
  2  the command is wrong
  3  could not: the receiver is away, refused it, or has no such provider
"""

PAUSE = """\
Pause a provider: its dispatches are accepted and queued, and no run is started until it is resumed. One that runs ends.
Where it is paused already, --reason takes the place of the former one, and you are named for it; the answer says so.
"""

RESUME = """\
Resume a provider: what has waited starts at once, in the order in which it came.
"""


def add_to(commands: Commands) -> None:
    """Add the command and those below it."""
    providers = commands.add_parser(
        "providers",
        help="see the providers of a receiver, pause and resume them",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    providers.set_defaults(print_help=providers.print_help)
    below = providers.add_subparsers(dest="providers_command", metavar="COMMAND")
    listing = _add(
        below,
        "list",
        "list the providers, by their names",
        "List the providers, by their names. A long reason of a pause is cut; --json has all of it.",
    )
    listing.add_argument("--paused", action="store_true", help="those that are paused")
    add_json(listing)
    pause = _add(below, "pause", "keep the runs of a provider waiting", PAUSE, with_name=True)
    pause.add_argument("--reason", metavar="TEXT", help="why, for those who wonder; kept and shown")
    add_json(pause)
    add_json(_add(below, "resume", "start what has waited", RESUME, with_name=True))


def _add(
    commands: Commands, name: str, text: str, description: str | None = None, *, with_name: bool = False
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=text, description=description or f"{text[0].upper()}{text[1:]}.", allow_abbrev=False
    )
    if with_name:
        parser.add_argument(
            "name", metavar="NAME", help="the provider's name; after -- if it begins with a dash"
        )
    add_receiver_url(parser)
    return parser
