"""The broker's address, its credentials, and how TLS connections to it are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.config.tls import tls_mistakes
from app.config.values import ConfigurationError, secret
from broker.http.access import BrokerAccess
from verifier.environment import BROKER_KEY_PASSWORD, BROKER_PASSWORD, BROKER_TOKEN, BROKER_USERNAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.config.settings import Settings


def broker_access(settings: Settings, environment: Mapping[str, str]) -> BrokerAccess:
    """Return the broker's address, its credentials, and how TLS connections to it are made.

    Raises:
        ConfigurationError: The credentials, or the files for TLS, can't be used.
    """
    username, password, token, key_password = (
        secret(name, environment)
        for name in (BROKER_USERNAME, BROKER_PASSWORD, BROKER_TOKEN, BROKER_KEY_PASSWORD)
    )
    if token and (username or password):
        raise ConfigurationError(
            f"{BROKER_TOKEN} and {BROKER_USERNAME} are two kinds of credentials: give one"
        )
    if bool(username) != bool(password):
        missing = BROKER_PASSWORD if username else BROKER_USERNAME
        raise ConfigurationError(f"basic auth wants both a user name and a password: {missing} is missing")
    broker = settings.broker
    if key_password and broker.client_certificate is None:
        raise ConfigurationError(
            f"{BROKER_KEY_PASSWORD} is for the key of broker.client_certificate, which is missing"
        )
    tls = broker.with_password(key_password)
    if mistakes := [f"broker.{mistake}" for mistake in tls_mistakes(tls)]:
        raise ConfigurationError(*mistakes)
    try:
        return BrokerAccess(broker.url, username, password, token, broker.aliases, tls)
    except ValueError as error:
        raise ConfigurationError(f"the broker's credentials can't be used: {error}") from error
