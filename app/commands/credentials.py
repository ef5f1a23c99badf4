"""The credentials that commands are given by options, environment variables and files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.github.token import is_token
from broker.webhooks.hidden_secrets import is_stars
from verifier.command.option_values import parse_access
from verifier.environment import (
    BROKER_ALIASES,
    BROKER_BASE_URL,
    BROKER_PASSWORD,
    BROKER_TOKEN,
    BROKER_USERNAME,
)
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
    "pact_broker_alias": BROKER_ALIASES,
}
LONGEST_TOKEN = 1024
MAX_FILE_BYTES = 1024 * 1024


def broker_access(options: argparse.Namespace, messages: Messages) -> BrokerAccess:
    """Return the broker's address and credentials, from options or else from the environment.

    No message shows the credentials from then on.

    Raises:
        UsageError: There is no address, or the values contradict each other.
    """
    values = {
        name: getattr(options, name) or os.environ.get(variable) for name, variable in _VARIABLES.items()
    }
    access = parse_access(
        values["pact_broker_base_url"],
        values["broker_username"],
        values["broker_password"],
        values["broker_token"],
        aliases=values["pact_broker_alias"] or (),
    )
    if access is None:
        raise UsageError("which broker? Give --pact-broker-base-url (PACT_BROKER_BASE_URL)")
    messages.hide(*access.secrets)
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
    if token and (len(token) > LONGEST_TOKEN or not is_token(token)):
        raise UsageError(f"{source}: a token is printable ASCII without spaces, and this one isn't")
    return token


def token_of(variable: str) -> str | None:
    """Return the token in an environment variable, or in the file that `VARIABLE_FILE` names; None if there is none.

    Raises:
        UsageError: Both are set, the file can't be read, or it can't be a token.
    """
    value, file = os.environ.get(variable), os.environ.get(f"{variable}_FILE")
    if value and file:
        raise UsageError(f"{variable} and {variable}_FILE are both set: give one of them")
    if file:
        value = secret_from_file(file, f"{variable}_FILE")
    return checked_token(value or "", variable) or None


def secret_from_file(path: str, option: str) -> str:
    """Return the secret that is all of a file.

    Args:
        path: The path of the file; `-` is standard input.
        option: The option that names it.

    Raises:
        UsageError: It can't be read, is empty, or has only the stars that stand for a secret.
    """
    value = text_of_file(path, option).strip()
    if not value or is_stars(value):
        raise UsageError(f"{option}: {path} {'holds nothing but stars' if value else 'is empty'}")
    return value


def text_of_file(path: str, option: str) -> str:
    """Return the content of a file; see `secret_from_file`."""
    try:
        if path == "-":
            return sys.stdin.read(MAX_FILE_BYTES)
        with Path(path).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise UsageError(f"{option}: {path} is larger than 1 MiB")
        return content.decode()
    except OSError as error:
        raise UsageError(f"{option}: {path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{option}: {path} is not UTF-8 text") from error
