"""Options that several commands take, and their values."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _ActionsContainer


def add_github_url(parser: _ActionsContainer, default: str | None = None) -> None:
    """Add the option `--github-url`."""
    parser.add_argument(
        "--github-url",
        metavar="URL",
        default=default,
        help="the API of a GitHub Enterprise, such as https://github.example.org/api/v3",
    )


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
        argparse.ArgumentTypeError: it isn't.
    """
    match = re.fullmatch(
        r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})", text
    )
    if match is None or int(match["port"]) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:9292")
    return match["ipv6"] or match["host"], int(match["port"])
