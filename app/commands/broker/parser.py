"""`pact-dispatch broker`: a Pact Broker to run at home."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.commands.options import LOG_LEVELS, address
from broker.embedded.webhooks.settings import HISTORY_DAYS

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Run a Pact Broker in this process, with everything in one SQLite file.
It is for development, demos and tests: everyone who reaches it may change everything unless accounts are set up, and
it listens on this machine alone unless told otherwise.
"""

MOST_DAYS = 36_500

EXAMPLE = """\
example:
  pact-dispatch broker --database broker.sqlite3
  pact broker publish pacts/ --broker-base-url http://127.0.0.1:9292 --consumer-app-version 1.0.0 --branch main
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    broker = commands.add_parser(
        "broker",
        help="run a Pact Broker for development, in one SQLite file",
        description=DESCRIPTION,
        epilog=EXAMPLE,
    )
    broker.add_argument(
        "--bind",
        type=address,
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
        help="the URL that clients reach it at, if it isn't the host that a request was sent to: links start with it",
    )
    broker.add_argument(
        "--allowed-hosts",
        type=_hosts,
        default=(),
        metavar="HOST,...",
        help="further host names that it answers to, besides that of --base-url; on loopback, those of loopback; "
        "elsewhere, addresses and names without a dot; * for any, which lets web pages in by DNS rebinding",
    )
    _add_webhook_options(broker)
    broker.add_argument(
        "--access",
        type=Path,
        metavar="FILE",
        help="who may read and write, in TOML; also in PACT_DISPATCH_BROKER_USERS and PACT_DISPATCH_BROKER_TOKENS",
    )
    broker.add_argument(
        "--log-level",
        choices=LOG_LEVELS,
        default="warning",
        help="info logs each request (default: %(default)s)",
    )


def _add_webhook_options(broker: argparse.ArgumentParser) -> None:
    webhooks = broker.add_argument_group(
        "webhooks", "Where they may be sent: unless told otherwise, nowhere, and by POST and https alone."
    )
    webhooks.add_argument(
        "--webhook-hosts",
        type=_list,
        default=(),
        metavar="HOST,...",
        help="hosts that webhooks may be sent to; *.example.org for all below it, * for all (default: none)",
    )
    webhooks.add_argument(
        "--webhook-schemes",
        type=_schemes,
        default=("https",),
        metavar="SCHEME,...",
        help="http, https, or both (default: https)",
    )
    webhooks.add_argument(
        "--webhook-methods",
        type=_methods,
        default=("POST",),
        metavar="METHOD,...",
        help="methods of their requests (default: POST)",
    )
    webhooks.add_argument(
        "--webhook-retry-seconds",
        type=_seconds,
        default=(10, 60, 120, 300, 600, 1200),
        metavar="SECONDS,...",
        help="the time between a failed attempt and the next (default: 10,60,120,300,600,1200); 'none' for no retry",
    )
    webhooks.add_argument(
        "--webhook-delay",
        type=_delay,
        default=0.0,
        metavar="SECONDS",
        help="the time between an event and the first attempt (default: 0; a real broker waits 5)",
    )
    webhooks.add_argument(
        "--webhook-history-days",
        type=_days,
        default=HISTORY_DAYS,
        metavar="DAYS",
        help="for how long deliveries that have ended are kept, with their logs (default: 90); 'none' for ever",
    )


def _days(text: str) -> float | None:
    if text.lower() == "none":
        return None
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 < days <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of days up to {MOST_DAYS} nor 'none'")
    return days


def _list(text: str) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(value.strip() for value in text.split(",") if value.strip()))
    if not values:
        raise argparse.ArgumentTypeError("name at least one")
    return values


def _hosts(text: str) -> tuple[str, ...]:
    names = _list(text.lower())
    for name in names:
        if re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*|\*", name) is None:
            raise argparse.ArgumentTypeError(
                f"{name!r} is not a host name such as broker.example.org, without a scheme and a port"
            )
    return names


def _schemes(text: str) -> tuple[str, ...]:
    values = _list(text.lower())
    if not {"http", "https"}.issuperset(values):
        raise argparse.ArgumentTypeError(f"{text!r} is not http, https, or http,https")
    return values


def _methods(text: str) -> tuple[str, ...]:
    values = _list(text.upper())
    if not {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}.issuperset(values):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of HTTP methods such as POST,PUT")
    return values


def _seconds(text: str) -> tuple[float, ...]:
    return () if text == "none" else tuple(_delay(value) for value in text.split(","))


def _delay(text: str) -> float:
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return float(text)


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as https://broker.example.org/pacts")
    return text
