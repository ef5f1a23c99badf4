"""The environment of the receiver's child processes: its own, without what only the receiver may know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.text.secret_names import is_secret_name
from broker.traces.variables import OF_THIS_SERVICE
from verifier.environment import without_secrets

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DATABASE_URL = "DATABASE_URL"
"""The URL of the receiver's PostgreSQL, `postgresql://...`; it starts one of its own if this is not set."""
_DATABASE = (DATABASE_URL, "PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE")
"""The receiver's database: its URL, and where libpq finds what isn't in it."""
_OF_GIT = ("GIT_", "SSH_")
"""How the names of variables begin that git and ssh need, whatever follows: `GIT_CONFIG_KEY_0`, `SSH_AUTH_SOCK`."""


def child_environment(environment: Mapping[str, str], *, names: Collection[str] = ()) -> dict[str, str]:
    """Return the environment for a child process: without the receiver's secrets, and without any others.

    The receiver runs the code of several providers, so that a variable whose name says that it is a secret is for none
    of them, unless the provider's `environment` names it.

    Args:
        environment: This process's environment.
        names: Other variables to leave out.
    """
    return {
        name: value
        for name, value in without_secrets(environment, names=(*_DATABASE, *OF_THIS_SERVICE, *names)).items()
        if name.startswith(_OF_GIT) or not is_secret_name(name)
    }
