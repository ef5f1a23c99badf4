"""The options that name a broker and the credentials for it, the same as those of `verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group(
        "the broker", "Better given by the environment than on the command line."
    )
    group.add_argument(
        "--pact-broker-base-url",
        metavar="URL",
        help="the broker; credentials go there and nowhere else (PACT_BROKER_BASE_URL)",
    )
    group.add_argument("--broker-username", metavar="NAME", help="of basic auth (PACT_BROKER_USERNAME)")
    group.add_argument("--broker-password", metavar="PASSWORD", help="of basic auth (PACT_BROKER_PASSWORD)")
    group.add_argument("--broker-token", metavar="TOKEN", help="a bearer token (PACT_BROKER_TOKEN)")
