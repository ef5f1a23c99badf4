"""The environment of the receiver's child processes: its own, without what only the receiver may know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.environment import without_secrets

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DATABASE_URL = "DATABASE_URL"
"""The receiver's PostgreSQL; the embedded one if it is not set."""
OWN_PREFIX = "PACT_DISPATCH_"
"""How the names of all of the receiver's own variables begin."""


def child_environment(environment: Mapping[str, str], *, names: Collection[str] = ()) -> dict[str, str]:
    """Return the environment for a child process: without the receiver's secrets and the broker's credentials.

    Args:
        environment: This process's environment.
        names: Other variables to leave out.
    """
    return without_secrets(environment, names={DATABASE_URL, "PGPASSWORD", *names}, prefixes=(OWN_PREFIX,))
