"""The address of GitHub's API and the credentials for it, from the configuration.

PyGithub is not imported for it: a process that has nothing to say to GitHub starts sooner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.config.values import ConfigurationError, secret
from app.config.variables import GITHUB_PRIVATE_KEY, GITHUB_TOKEN
from app.github.token import is_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.config.settings import Settings


@dataclass(frozen=True)
class GitHubAccess:
    """The address of GitHub's API and the credentials for it: a token, or those of an App.

    Attributes:
        api_url: `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise Server.
        token: The token; None for an App.
        app_id: The App's id or client id.
        private_key: The App's private key, in PEM.
        installation_id: The App's installation; found by repository where it is None.
    """

    api_url: str
    token: str | None = field(default=None, repr=False)
    app_id: str | None = None
    private_key: str | None = field(default=None, repr=False)
    installation_id: int | None = None


def github_access(settings: Settings, environment: Mapping[str, str]) -> GitHubAccess | None:
    """Return the address of GitHub's API and the credentials for it.

    Returns:
        None if there are no credentials, and nothing in the configuration needs any.

    Raises:
        ConfigurationError: The credentials can't be used, or are missing where they are needed.
    """
    github = settings.github
    token, private_key = (secret(name, environment) for name in (GITHUB_TOKEN, GITHUB_PRIVATE_KEY))
    if token and (private_key or github.app_id):
        an_app = f"an App (github.app_id, {GITHUB_PRIVATE_KEY})"
        raise ConfigurationError(f"{GITHUB_TOKEN} and {an_app} are two ways to be known to GitHub: give one")
    if bool(private_key) != bool(github.app_id):
        missing = "github.app_id" if private_key else f"{GITHUB_PRIVATE_KEY} (or {GITHUB_PRIVATE_KEY}_FILE)"
        raise ConfigurationError(f"a GitHub App wants both its id and its private key: {missing} is missing")
    if token is not None and not is_token(token):
        raise ConfigurationError(
            f"{GITHUB_TOKEN}: a token is printable ASCII without spaces, and this one isn't"
        )
    if private_key is not None:
        _check_private_key(private_key)
    if token is None and private_key is None:
        if needs := settings.needs_github:
            raise ConfigurationError(
                f"{needs} needs credentials for GitHub: set {GITHUB_TOKEN} (or {GITHUB_TOKEN}_FILE), "
                f"or github.app_id and {GITHUB_PRIVATE_KEY} (or {GITHUB_PRIVATE_KEY}_FILE)"
            )
        return None
    return GitHubAccess(github.api_url, token, github.app_id, private_key, github.installation_id)


def _check_private_key(private_key: str) -> None:
    # only an App needs these, and they take time to import
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(private_key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigurationError(
            f"{GITHUB_PRIVATE_KEY}: must be the App's private key as GitHub gave it, "
            "'-----BEGIN RSA PRIVATE KEY-----' and what follows"
        )
