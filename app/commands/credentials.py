"""The credentials that commands are given by options, environment variables and files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from verifier.command.option_values import parse_access
from verifier.environment import BROKER_BASE_URL, BROKER_PASSWORD, BROKER_TOKEN, BROKER_USERNAME
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from app.commands.runner import Messages
    from broker.http.access import BrokerAccess

_VARIABLES = {
    "pact_broker_base_url": BROKER_BASE_URL,
    "broker_username": BROKER_USERNAME,
    "broker_password": BROKER_PASSWORD,
    "broker_token": BROKER_TOKEN,
}
LONGEST_TOKEN = 1024


def broker_access(options: argparse.Namespace, messages: Messages) -> BrokerAccess:
    """Return the broker's address and credentials, from options or else from the environment.

    No message shows the credentials from then on.

    Raises:
        UsageError: There is no address, or the values contradict each other.
    """
    values = (getattr(options, name) or os.environ.get(variable) for name, variable in _VARIABLES.items())
    access = parse_access(*values)
    if access is None:
        raise UsageError("which broker? Give --pact-broker-base-url (PACT_BROKER_BASE_URL)")
    messages.hide(access.password, access.token)
    return access


def checked_token(token: str, source: str) -> str:
    """Return the token without the line end of the file that it may come from.

    Args:
        token: The token.
        source: The variable or option that it comes from.

    Raises:
        UsageError: It can't be a token.
    """
    token = token.strip()
    if not (token.isascii() and token.isprintable() and " " not in token and len(token) <= LONGEST_TOKEN):
        raise UsageError(f"{source}: a token is printable ASCII without spaces, and this one isn't")
    return token
