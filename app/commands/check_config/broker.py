"""Whether the broker of a configuration is there, lets us in, and knows the providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.config.provider import RelayedProvider
from broker.client import BrokerClient
from broker.http.errors import BrokerError, BrokerRefused

if TYPE_CHECKING:
    from app.config.settings import Settings
    from broker.http.access import BrokerAccess

RETRY_SECONDS = 2.0


def problems_of(settings: Settings, access: BrokerAccess) -> list[str]:
    """Ask the broker.

    Returns:
        What is wrong, for people; nothing if all is well.
    """
    problems = []
    with BrokerClient(access, retry_time=RETRY_SECONDS) as client:
        try:
            index = client.get(f"{client.origin}/").document
        except BrokerError as error:
            return [f"broker.url: {error}"]
        for number, provider in enumerate(settings.providers, start=1):
            if isinstance(provider, RelayedProvider):
                continue
            where = f"providers[{number}].name"
            try:
                link = client.link(index, "pb:pacticipant", pacticipant=provider.name)
                if link is None:
                    return [
                        f"broker.url: {client.origin} answers, but not as a Pact Broker (no pb:pacticipant)"
                    ]
                client.get(link)
            except BrokerRefused as error:
                problems.append(
                    f"{where}: the broker has no pacticipant {provider.name!r}; letter case counts"
                    if error.status == 404
                    else f"{where}: {error}"
                )
            except BrokerError as error:
                problems.append(f"{where}: {error}")
    return problems
