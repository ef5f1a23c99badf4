"""The environments that a broker knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.http.json_values import objects_at, text_at

if TYPE_CHECKING:
    from broker.client.session import BrokerClient


def environments(client: BrokerClient) -> list[dict[str, Any]]:
    """Return the documents of the environments; none of a broker that is older than they are.

    Raises:
        BrokerError: The broker could not be asked.
    """
    link = client.link(client.index().document, "pb:environments")
    if link is None:
        return []
    return objects_at(client.get(link).document, "_embedded", "environments") or []


def environment_names(client: BrokerClient) -> list[str]:
    """Return the names of the environments.

    Raises:
        BrokerError: The broker could not be asked.
    """
    return [name for one in environments(client) if (name := text_at(one, "name"))]
