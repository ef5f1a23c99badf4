"""The command line of `pact-dispatch`: its commands in their groups, and the one that is chosen."""

from __future__ import annotations

import argparse
import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING

from app.commands import runner, verify
from app.commands.alive import parser as alive
from app.commands.argument_parser import ArgumentParser
from app.commands.broker import parser as broker
from app.commands.check_config import parser as check_config
from app.commands.database import parser as database
from app.commands.deliveries import parser as deliveries
from app.commands.doctor import parser as doctor
from app.commands.migrate import parser as migrate
from app.commands.notify import parser as notify
from app.commands.providers import parser as providers
from app.commands.reconcile import parser as reconcile
from app.commands.reload import parser as reload
from app.commands.runs import parser as runs
from app.commands.serve import parser as serve
from app.commands.setup import parser as setup
from app.commands.wait import parser as wait
from app.commands.web import parser as web
from app.commands.webhooks import parser as webhooks
from app.commands.worker import parser as worker
from broker.text.completion import add_completion_option
from broker.text.terminal import guard_terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS = {
    "try": (verify, broker),
    "set up": (setup, webhooks, check_config, notify),
    "operate": (serve, web, worker, reload, alive, migrate, reconcile, database),
    "find out": (wait, doctor, runs, deliveries, providers),
}
"""The parsers of the commands, in the groups and the order of `--help`."""

EPILOG = """\
Each command has its own help: pact-dispatch COMMAND --help
"""


def parser() -> ArgumentParser:
    """Return the parser of the whole command."""
    whole = ArgumentParser(
        prog="pact-dispatch",
        usage="pact-dispatch COMMAND ...",
        description="Verify a pact the moment it changes, and publish the result.",
        epilog=EPILOG,
    )
    whole.add_argument("--version", action="version", version=f"%(prog)s {version('pact-dispatch')}")
    add_completion_option(whole, {"verify": _parser_of_verify})
    commands = whole.add_subparsers(
        dest="command", metavar="COMMAND", prog="pact-dispatch", help=argparse.SUPPRESS
    )
    for title, parsers in GROUPS.items():
        before = len(_listed(commands))
        for command in parsers:
            command.add_to(commands)
        # argparse lists all commands at once, and groups nothing but options
        whole.add_argument_group(title)._group_actions += _listed(commands)[before:]  # noqa: SLF001
    return whole


def run(words: Sequence[str]) -> int:
    """Run the command that the words name.

    Returns:
        The exit code, see `runner.ExitCode`; wrong options leave by SystemExit(2).
    """
    guard_terminal()
    whole = parser()
    options = whole.parse_args(words)
    if options.command is None:
        whole.print_help()
        return runner.ExitCode.USAGE
    folder = options.command.replace("-", "_")
    # only the chosen command is loaded: `--help` needs none, and the extra `server` may be missing
    return runner.run(options, lambda: importlib.import_module(f"app.commands.{folder}.command"))


def _parser_of_verify() -> argparse.ArgumentParser:
    """Return the parser of the command that `app.cli` hands its words to."""
    from verifier.command.options import build_parser  # noqa: PLC0415 - for completion alone

    return build_parser()


def _listed(commands: argparse._SubParsersAction[ArgumentParser]) -> list[argparse.Action]:
    """Return what the help has of each command that was added."""
    return commands._choices_actions  # noqa: SLF001
