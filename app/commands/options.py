"""Options that several commands take, and their values."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from app.config.variables import API_TOKEN, CONFIG, DATA_DIR, LOG_LEVEL, RECEIVER_URL
from app.process.environment import DATABASE_URL

if TYPE_CHECKING:
    from argparse import _ActionsContainer

    from app.config.settings import Settings


def add_broker_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a broker and the credentials for it, the same as those of `verify`."""
    group = parser.add_argument_group(
        "the broker", "Better given by the environment than on the command line."
    )
    group.add_argument(
        "--pact-broker-base-url",
        metavar="URL",
        help="the broker; credentials go there and nowhere else (PACT_BROKER_BASE_URL)",
    )
    group.add_argument(
        "--pact-broker-alias",
        metavar="URL",
        action="append",
        help="another base URL that it gives its links with; nothing is sent there; may be repeated "
        "(PACT_BROKER_ALIASES)",
    )
    group.add_argument("--broker-username", metavar="NAME", help="of basic auth (PACT_BROKER_USERNAME)")
    group.add_argument("--broker-password", metavar="PASSWORD", help="of basic auth (PACT_BROKER_PASSWORD)")
    group.add_argument("--broker-token", metavar="TOKEN", help="a bearer token (PACT_BROKER_TOKEN)")


DEFAULT_CONFIG = "pact-dispatch.toml"
DEFAULT_DATA_DIR = "pact-dispatch-data"


def data_dir_of(given: Path | None, settings: Settings) -> Path:
    """Return the data directory: that of the option or the environment, of the configuration, or that by default."""
    return (given or settings.data_dir or Path(DEFAULT_DATA_DIR)).absolute()


def add_receiver_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the configuration and the data of a receiver are."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(os.environ.get(CONFIG) or DEFAULT_CONFIG),
        metavar="FILE",
        help=f"the configuration ({CONFIG}; default: {DEFAULT_CONFIG})",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ[DATA_DIR]) if os.environ.get(DATA_DIR) else None,
        metavar="DIR",
        help=f"checkouts, and the embedded PostgreSQL where {DATABASE_URL} isn't set ({DATA_DIR}, or data_dir of the "
        f"configuration; default: {DEFAULT_DATA_DIR})",
    )


def add_no_migrate(parser: _ActionsContainer) -> None:
    """Add the option `--no-migrate`."""
    parser.add_argument(
        "--no-migrate",
        action="store_true",
        help="leave the tables of the database as they are, and wait until `pact-dispatch migrate` of this version has "
        "run: the role in the database needs no right to make tables",
    )


def add_receiver_url(parser: _ActionsContainer) -> None:
    """Add the option `--receiver-url`."""
    parser.add_argument(
        "--receiver-url",
        metavar="URL",
        help=f"where the receiver listens, seen from here ({RECEIVER_URL}); {API_TOKEN} goes there and nowhere else",
    )


def add_json(parser: _ActionsContainer) -> None:
    """Add the option `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_limit(parser: _ActionsContainer, default: int = 50) -> None:
    """Add the option `--limit` of a list."""
    parser.add_argument(
        "--limit",
        type=_limit,
        default=default,
        metavar="N",
        help=f"the newest N, or all (default: {default})",
    )


def _limit(text: str) -> int | None:
    """Return a number of items; None for all of them.

    Raises:
        argparse.ArgumentTypeError: It is neither.
    """
    if text == "all":
        return None
    if re.fullmatch(r"[0-9]{1,6}", text) is None or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number such as 100, or all")
    return int(text)


def add_github_url(parser: _ActionsContainer, default: str | None = None) -> None:
    """Add the option `--github-url`."""
    parser.add_argument(
        "--github-url",
        metavar="URL",
        default=default,
        help="the API of a GitHub Enterprise, such as https://github.example.org/api/v3",
    )


LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


def add_log_level(parser: _ActionsContainer, meaning: str = "debug has what the queue does, too") -> None:
    """Add the option `--log-level`, which means so by itself for a process of the receiver."""
    parser.add_argument(
        "--log-level",
        type=_log_level,
        default=os.environ.get(LOG_LEVEL) or "info",
        metavar="LEVEL",
        help=f"{', '.join(LOG_LEVELS)}; {meaning} ({LOG_LEVEL}; default: info)",
    )


def add_log_level_of_client(parser: _ActionsContainer) -> None:
    """Add the option `--log-level` of a command that waits for others; see `Messages.set_level`."""
    add_log_level(parser, "debug has each request, warning only what is amiss, error nothing but the end")


def _log_level(text: str) -> str:
    """Return a level of the log.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if text.lower() not in LOG_LEVELS:
        raise argparse.ArgumentTypeError(f"{text!r} ({LOG_LEVEL}) is not one of {', '.join(LOG_LEVELS)}")
    return text.lower()


DEFAULT_BIND = "127.0.0.1:8000"


def add_bind_to(parser: _ActionsContainer) -> None:
    """Add the option `--bind`."""
    parser.add_argument(
        "--bind",
        type=address,
        default=DEFAULT_BIND,
        metavar="HOST:PORT",
        help="where to listen; port 0 takes a free one (default: %(default)s)",
    )


def address(text: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Raises:
        argparse.ArgumentTypeError: It isn't.
    """
    match = re.fullmatch(
        r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})", text
    )
    if match is None or int(match["port"]) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:0 for a free port")
    return match["ipv6"] or match["host"], int(match["port"])
