"""The `pact-dispatch` command."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING

from app.commands import runner
from app.commands.argument_parser import ArgumentParser
from app.commands.broker import parser as broker
from app.commands.check_config import parser as check_config
from app.commands.doctor import parser as doctor
from app.commands.reconcile import parser as reconcile
from app.commands.serve import parser as serve
from app.commands.setup import parser as setup
from app.commands.web import parser as web
from app.commands.webhooks import parser as webhooks
from app.commands.worker import parser as worker
from broker.text.terminal import guard_terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (serve, web, worker, check_config, reconcile, broker, setup, webhooks, doctor)
"""The parsers of the commands, in the order of `--help`."""


def parser() -> ArgumentParser:
    """Return the parser of the whole command."""
    whole = ArgumentParser(prog="pact-dispatch", description="Verify one changed pact the moment it changes.")
    whole.add_argument("--version", action="version", version=f"%(prog)s {version('pact-dispatch')}")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit code, see `runner.ExitCode`; wrong options leave by SystemExit(2).
    """
    guard_terminal()
    whole = parser()
    options = whole.parse_args(arguments)
    if options.command is None:
        whole.print_help()
        return runner.ExitCode.USAGE
    folder = options.command.replace("-", "_")
    # only the chosen command is loaded: `--help` needs none, and the extra `server` may be missing
    return runner.run(options, lambda: importlib.import_module(f"app.commands.{folder}.command"))
