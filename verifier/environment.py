"""The environment that child processes are started with: this process's, without the secrets that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

BROKER_BASE_URL = "PACT_BROKER_BASE_URL"
BROKER_USERNAME = "PACT_BROKER_USERNAME"
BROKER_PASSWORD = "PACT_BROKER_PASSWORD"  # noqa: S105 - the name of a variable
BROKER_TOKEN = "PACT_BROKER_TOKEN"  # noqa: S105 - the name of a variable
PUBLISH_RESULTS = "PACT_BROKER_PUBLISH_VERIFICATION_RESULTS"
BROKER_CREDENTIALS = (BROKER_TOKEN, BROKER_USERNAME, BROKER_PASSWORD)
"""Hidden from every child process: neither the engine nor a provider nor git sends a request to the broker."""


def without_secrets(
    environment: Mapping[str, str], *, names: Collection[str] = (), prefixes: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return a copy of an environment without the broker's credentials.

    Args:
        environment: The variables to copy.
        names: Other variables to leave out.
        prefixes: How the names of further variables to leave out begin.
    """
    return {
        name: value
        for name, value in environment.items()
        if name not in BROKER_CREDENTIALS and name not in names and not name.startswith(prefixes)
    }
