"""The options that say which broker is meant and what lets one in, the same as those of `verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from broker.http.access import BrokerAccess

VARIABLES = {
    "pact_broker_base_url": "PACT_BROKER_BASE_URL",
    "broker_username": "PACT_BROKER_USERNAME",
    "broker_password": "PACT_BROKER_PASSWORD",
    "broker_token": "PACT_BROKER_TOKEN",
}


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


def access_of(options: argparse.Namespace, environment: Mapping[str, str]) -> BrokerAccess:
    """Put the broker's address and credentials together, from options, else from the environment.

    Raises:
        UsageError: there is no address, or they contradict each other.
    """
    from verifier.command.option_values import parse_access  # noqa: PLC0415
    from verifier.errors import UsageError  # noqa: PLC0415 - --help needs none of it

    values = {
        name: getattr(options, name) or environment.get(variable) for name, variable in VARIABLES.items()
    }
    access = parse_access(
        values["pact_broker_base_url"],
        values["broker_username"],
        values["broker_password"],
        values["broker_token"],
    )
    if access is None:
        raise UsageError("which broker? Give --pact-broker-base-url (PACT_BROKER_BASE_URL)")
    return access
