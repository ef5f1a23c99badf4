"""The ``pact-dispatch`` command."""

from __future__ import annotations

import argparse
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

COULD_NOT_START = 3

BROKER_DESCRIPTION = """\
Run a Pact Broker in this process, with everything in one SQLite file.
It is for development, demos and tests: it has no access control, and listens on this machine alone unless told
otherwise.
"""

BROKER_EXAMPLE = """\
example:
  pact-dispatch broker --database broker.sqlite3
  pact broker publish pacts/ --broker-base-url http://127.0.0.1:9292 --consumer-app-version 1.0.0 --branch main
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0 when stopped by a signal, 3 when it could not start; wrong options leave by SystemExit(2).
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    return _broker(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pact-dispatch", description="Verify one changed pact the moment it changes."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('pact-dispatch')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    broker = commands.add_parser(
        "broker",
        help="run a Pact Broker for development, in one SQLite file",
        description=BROKER_DESCRIPTION,
        epilog=BROKER_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    broker.add_argument(
        "--bind",
        type=_address,
        default="127.0.0.1:9292",
        metavar="HOST:PORT",
        help="where to listen; port 0 takes a free one (default: %(default)s)",
    )
    broker.add_argument(
        "--database",
        type=Path,
        default=Path("broker.sqlite3"),
        metavar="FILE",
        help="the SQLite file, made if need be (default: %(default)s)",
    )
    broker.add_argument(
        "--base-url",
        type=_base_url,
        metavar="URL",
        help="what links start with, where it isn't the host that a request was sent to",
    )
    broker.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error", "critical"),
        default="warning",
        help="info logs each request (default: %(default)s)",
    )
    return parser


def _address(text: str) -> tuple[str, int]:
    match = re.fullmatch(
        r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})", text
    )
    if match is None or int(match["port"]) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:9292")
    return match["ipv6"] or match["host"], int(match["port"])


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as https://broker.example.org/pacts")
    return text


def _broker(options: argparse.Namespace) -> int:
    try:
        from broker.embedded import server  # noqa: PLC0415 - the extra may be missing, and --help needs none of it
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"flask", "gunicorn", "sqlalchemy"}:
            raise
        print(
            f"pact-dispatch broker needs {error.name}: pip install 'pact-dispatch[server]'", file=sys.stderr
        )
        return COULD_NOT_START
    host, port = options.bind
    settings = server.Settings(
        host=host,
        port=port,
        database=options.database,
        base_url=options.base_url,
        log_level=options.log_level,
    )
    try:
        server.serve(settings)
    except server.CannotStartError as error:
        print(f"pact-dispatch broker: {error}", file=sys.stderr)
        return COULD_NOT_START
    return 0
