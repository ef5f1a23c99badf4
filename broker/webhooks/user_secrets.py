"""Secrets for webhooks: `${user.NAME}` in a webhook stands for a value that nobody can read again.

PactFlow has them, and so does the embedded broker. The open-source Pact Broker has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.http.errors import BrokerError
from broker.http.json_values import text_at

if TYPE_CHECKING:
    from broker.client.session import BrokerClient


class NoSecrets(BrokerError):
    """The broker has no secrets; the open-source Pact Broker has none."""


@dataclass(frozen=True)
class Secret:
    """A secret, without its value."""

    uuid: str
    name: str
    description: str | None = None


class UserSecrets:
    """The secrets of one broker.

    Args:
        client: The session with the broker.
    """

    def __init__(self, client: BrokerClient) -> None:
        self._client = client

    def all(self) -> list[Secret]:
        """Fetch all secrets, without their values.

        Raises:
            NoSecrets: This broker has none.
            BrokerError: The broker could not be asked.
        """
        answer = self._client.find(self._client.url("secrets"))
        if answer is None:
            raise NoSecrets(f"{self._client.origin} has no secrets: it is no PactFlow")
        return [
            Secret(uuid, name, text_at(one, "description"))
            for one in answer.objects_at("_embedded", "secrets")
            if (uuid := text_at(one, "uuid")) and (name := text_at(one, "name"))
        ]

    def find(self, name: str) -> Secret | None:
        """Fetch the secret of a name, or return None if there is none.

        Raises:
            NoSecrets: This broker has none at all.
            BrokerError: The broker could not be asked.
        """
        return next((secret for secret in self.all() if secret.name == name), None)

    def put(self, name: str, value: str, description: str) -> bool:
        """Store a secret, or give it a new value.

        Args:
            name: Letters, digits and `_`.
            value: The value, which is never shown again, nor put into a message.
            description: A description for people.

        Returns:
            Whether it was created.

        Raises:
            NoSecrets: This broker has none.
            BrokerError: It was not stored.
        """
        body = {"name": name, "description": description, "value": value}
        existing = self.find(name)
        if existing is None:
            self._client.post_once(self._client.url("secrets"), body)
            return True
        self._client.put(self._client.url("secrets", existing.uuid), body)
        return False
