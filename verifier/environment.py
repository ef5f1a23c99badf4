"""The environment that child processes are started with: this process's, without the secrets that it holds."""

from __future__ import annotations

from broker.traces.variables import has_credentials

TYPE_CHECKING = False
if (
    TYPE_CHECKING
):  # `typing` would be imported for this alone, before the engine is started (`verifier.engine.spawn`)
    from collections.abc import Collection, Mapping

BROKER_BASE_URL = "PACT_BROKER_BASE_URL"
BROKER_ALIASES = "PACT_BROKER_ALIASES"
BROKER_USERNAME = "PACT_BROKER_USERNAME"
"""The user name for the broker, in basic auth."""
BROKER_PASSWORD = "PACT_BROKER_PASSWORD"  # noqa: S105 - the name of a variable
"""The password that belongs to it."""
BROKER_TOKEN = "PACT_BROKER_TOKEN"  # noqa: S105 - the name of a variable
"""A bearer token for the broker, in the place of a user name and password."""
PUBLISH_RESULTS = "PACT_BROKER_PUBLISH_VERIFICATION_RESULTS"
PUBLISH_WITHOUT_STATES = "PACT_BROKER_PUBLISH_WITHOUT_STATES"
BROKER_KEY_PASSWORD = "PACT_BROKER_CLIENT_KEY_PASSWORD"  # noqa: S105 - the name of a variable
"""The password of the key of the certificate that the broker is shown."""
PROVIDER_KEY_PASSWORD = "PACT_PROVIDER_CLIENT_KEY_PASSWORD"  # noqa: S105 - the name of a variable
BROKER_CREDENTIALS = (BROKER_TOKEN, BROKER_USERNAME, BROKER_PASSWORD, BROKER_KEY_PASSWORD)
"""Hidden from every child process: neither the engine nor a provider nor git sends a request to the broker."""
OWN_PREFIX = "PACT_DISPATCH_"
"""How the names of all of this project's own variables begin."""

_FILE = "_FILE"
"""How the name of a variable ends that names the file of a secret."""
_RUNNER_PREFIX = "ACTIONS_"
"""How the names of GitHub's variables for actions begin: tokens of its services, of OpenID Connect."""
_RUNNER_FILES = frozenset(
    {"GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"}
)
"""The files by which a step of a workflow sets its outputs, and the environment of later steps."""


def without_secrets(
    environment: Mapping[str, str], *, names: Collection[str] = (), prefixes: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return a copy of an environment without what only this project's own processes may know.

    That is the broker's credentials, those of a collector of traces, this project's own variables, and what lets a step
    of a GitHub workflow act on the run. Nothing else is taken away, as a provider may need it.

    Args:
        environment: The variables to copy.
        names: Other variables to leave out; each also as `NAME_FILE`.
        prefixes: How the names of further variables to leave out begin.
    """
    hidden = {*BROKER_CREDENTIALS, PROVIDER_KEY_PASSWORD, *names}
    return {
        name: value
        for name, value in environment.items()
        if name.removesuffix(_FILE) not in hidden
        and name not in hidden | _RUNNER_FILES
        and not name.startswith((OWN_PREFIX, _RUNNER_PREFIX, *prefixes))
        and not has_credentials(name.removesuffix(_FILE), value)
    }
