"""`pact-dispatch runs`: the runs of a receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_json, add_limit, add_log_level_of_client, add_receiver_url

if TYPE_CHECKING:
    import argparse

    from app.commands import Commands

DESCRIPTION = """\
See what a receiver has verified, what it verifies now and what waits; read a run's log, cancel a run, or have it
carried out again. A run is one execution of a dispatch.
"""

EPILOG = """\
examples:
  the latest runs, and those of a provider that found a broken contract:
    pact-dispatch runs list --receiver-url https://dispatch.example.org
    pact-dispatch runs list --provider Products --outcome failed

  what became of one, and its log until it ends:
    pact-dispatch runs show RUN
    pact-dispatch runs log -f RUN

  have it carried out again, and wait for the outcome:
    pact-dispatch runs again RUN --follow

environment:
  PACT_DISPATCH_RECEIVER_URL  the same as --receiver-url
  PACT_DISPATCH_API_TOKEN     one of the receiver's PACT_DISPATCH_API_TOKENS; goes to the receiver and nowhere else

exit codes:
  0  done; where a run is followed, it passed (or was passed on to GitHub)
  1  the run that was followed failed: the contract is broken
  2  the command is wrong
  3  could not: the receiver is away, refused it, or has no such run; or the run that was followed could not verify, or
     was cancelled
  4  the run that was followed is done, but the broker did not accept its result
"""

LOG = """\
Print the log of a run, with all its attempts. With --follow, go on until the run has ended and its result is published;
the exit code then tells the outcome, as that of verify does.
"""

AGAIN = """\
Have the dispatch of a run carried out again, as a new run, under the receiver's configuration as it is now.
"""


def add_to(commands: Commands) -> None:
    """Add the command and those below it."""
    runs = commands.add_parser(
        "runs",
        help="see the runs of a receiver, follow, cancel and repeat them",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    runs.set_defaults(print_help=runs.print_help)
    below = runs.add_subparsers(dest="runs_command", metavar="COMMAND")
    _add_list(below)
    show = _add(below, "show", "show a run, and what did not pass", with_id=True)
    add_json(show)
    log = _add(below, "log", "print the log of a run", LOG, with_id=True)
    log.add_argument("-f", "--follow", action="store_true", help="until the run has ended")
    add_log_level_of_client(log)
    cancel = _add(below, "cancel", "cancel a run that waits or runs", with_id=True)
    add_json(cancel)
    again = _add(below, "again", "have a run's dispatch carried out again", AGAIN, with_id=True)
    what_then = again.add_mutually_exclusive_group()
    what_then.add_argument(
        "-f", "--follow", action="store_true", help="print the new run's log until it ends"
    )
    add_json(what_then)
    add_log_level_of_client(again)


def _add_list(commands: Commands) -> None:
    parser = _add(commands, "list", "list runs, the newest first")
    chosen = parser.add_argument_group("which")
    chosen.add_argument(
        "--status", choices=("waiting", "running", "finished", "cancelled"), help="those with this status"
    )
    chosen.add_argument("--outcome", choices=("passed", "failed", "error"), help="those with this outcome")
    chosen.add_argument("--provider", metavar="NAME", help="those of this provider")
    chosen.add_argument("--consumer", metavar="NAME", help="those of this consumer")
    chosen.add_argument("--repository", metavar="OWNER/REPO", help="those dispatched to this repository")
    chosen.add_argument("--pact-url", metavar="URL", help="those of the pact with exactly this URL")
    chosen.add_argument(
        "--reason",
        choices=("dispatched", "redelivered", "reconciled"),
        help="those that a webhook or a push asked for, that were asked for again, or that were found missing",
    )
    chosen.add_argument("--branch", metavar="NAME", help="those of this branch of the provider")
    chosen.add_argument(
        "--version",
        metavar="PREFIX",
        help="those of a version of the consumer or the provider that begins so",
    )
    chosen.add_argument(
        "--since",
        metavar="WHEN",
        help="those accepted since: 90min, 24h or 7d ago, 2026-11-27, 2026-11-27T13:00",
    )
    chosen.add_argument("--until", metavar="WHEN", help="those accepted before, in the same forms, in UTC")
    chosen.add_argument(
        "--text", metavar="TEXT", help="those with this in their error, names, versions, branch or pact URL"
    )
    chosen.add_argument("--parent", metavar="RUN", help="those of the pacts of this run for every pact")
    chosen.add_argument(
        "--pacts",
        choices=("shown", "hidden"),
        help="whether those of the pacts of runs for every pact are listed (default: shown)",
    )
    add_limit(chosen)
    add_json(parser)


def _add(
    commands: Commands, name: str, text: str, description: str | None = None, *, with_id: bool = False
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=text, description=description or f"{text[0].upper()}{text[1:]}.", allow_abbrev=False
    )
    if with_id:
        parser.add_argument("id", metavar="RUN", help="the run's id, as runs list shows it")
    add_receiver_url(parser)
    return parser
