"""Secrets for webhooks, where a broker has them: `${user.NAME}` stands for a value that nobody can read again.

PactFlow has them, and so has this project's own broker. The open-source Pact Broker has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.http.errors import BrokerError, NotFound, UnexpectedAnswer

if TYPE_CHECKING:
    from broker.client.session import BrokerClient


class NoSecrets(BrokerError):
    """This broker has no secrets, as the open-source one."""


@dataclass(frozen=True)
class Secret:
    """A secret, without its value."""

    uuid: str
    name: str
    description: str | None = None


class UserSecrets:
    """The secrets of one broker.

    Args:
        client: the session with the broker.
    """

    def __init__(self, client: BrokerClient) -> None:
        self._client = client

    def all(self) -> list[Secret]:
        """Fetch all secrets; nobody is given their values.

        Raises:
            NoSecrets: this broker has none.
            BrokerError: they can't be had.
        """
        try:
            answer = self._client.get(self._client.url("secrets"))
        except NotFound as error:
            raise NoSecrets(f"{self._client.origin} has no secrets: it is no PactFlow") from error
        embedded = answer.document.get("_embedded") if isinstance(answer.document, dict) else None
        found = embedded.get("secrets") if isinstance(embedded, dict) else None
        if not isinstance(found, list):
            raise UnexpectedAnswer(f"{answer.url} did not answer with a list of secrets")
        return [
            Secret(one["uuid"], one["name"], one.get("description"))
            for one in found
            if isinstance(one, dict) and isinstance(one.get("uuid"), str) and isinstance(one.get("name"), str)
        ]

    def find(self, name: str) -> Secret | None:
        """Fetch the secret of a name; None when there is none.

        Raises:
            NoSecrets: this broker has none at all.
            BrokerError: it can't be known.
        """
        return next((secret for secret in self.all() if secret.name == name), None)

    def put(self, name: str, value: str, description: str) -> bool:
        """Store a secret, or give it a new value.

        Args:
            name: letters, digits and `_`.
            value: never shown again, nor put into a message.
            description: for people.

        Returns:
            Whether it was created.

        Raises:
            NoSecrets: this broker has none.
            BrokerError: it was not stored.
        """
        body = {"name": name, "description": description, "value": value}
        existing = self.find(name)
        if existing is None:
            self._client.post_once(self._client.url("secrets"), body)
            return True
        self._client.put(self._client.url("secrets", existing.uuid), body)
        return False
