"""The ``pact-dispatch`` command."""

from __future__ import annotations

import argparse
from importlib.metadata import version
from typing import TYPE_CHECKING

from app.commands.broker import parser as broker
from app.commands.check_config import parser as check_config
from app.commands.doctor import parser as doctor
from app.commands.reconcile import parser as reconcile
from app.commands.serve import parser as serve
from app.commands.setup import parser as setup
from app.commands.web import parser as web
from app.commands.webhooks import parser as webhooks
from app.commands.worker import parser as worker

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (serve, web, worker, check_config, reconcile, broker, setup, webhooks, doctor)
"""In the order of `--help`."""


def parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command."""
    made = argparse.ArgumentParser(
        prog="pact-dispatch", description="Verify one changed pact the moment it changes."
    )
    made.add_argument("--version", action="version", version=f"%(prog)s {version('pact-dispatch')}")
    commands = made.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0 when done, or stopped by a signal; 3 when it could not do it; wrong options leave by SystemExit(2). What
        else there is, the command itself says.
    """
    commands = parser()
    options = commands.parse_args(arguments)
    if options.command is None:
        commands.print_help()
        return 2
    code: int = options.run(options)
    return code
