"""The check of the broker that a configuration names: does it answer, and does it know the providers?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.finding import Finding, State
from app.config.provider import RelayedProvider
from broker.client import BrokerClient
from broker.http.errors import BrokerError, BrokerRefused, NotFound

if TYPE_CHECKING:
    from app.config.settings import Settings
    from broker.http.access import BrokerAccess

RETRY_SECONDS = 2.0


def check_broker(settings: Settings, access: BrokerAccess) -> list[Finding]:
    """Return what is wrong with the broker; an empty list if it knows all providers."""
    findings = []
    with BrokerClient(access, retry_time=RETRY_SECONDS) as client:
        try:
            index = client.get(f"{client.origin}/").document
        except BrokerError as error:
            return [_problem("broker.url", error)]
        for number, provider in enumerate(settings.providers, start=1):
            if isinstance(provider, RelayedProvider):
                continue
            try:
                link = client.link(index, "pb:pacticipant", pacticipant=provider.name)
                if link is None:
                    text = f"{client.origin} answers, but not as a Pact Broker (no pb:pacticipant)"
                    return [Finding(State.FAILED, f"broker.url: {text}", name="broker.url")]
                client.get(link)
            except BrokerError as error:
                findings.append(_problem(f"providers[{number}].name", error, provider.name))
    return findings


def _problem(name: str, error: BrokerError, provider: str | None = None) -> Finding:
    if provider is not None and isinstance(error, NotFound):
        text = f"the broker has no pacticipant {provider!r}; letter case counts"
        return Finding(State.FAILED, f"{name}: {text}", name=name)
    state = State.FAILED if isinstance(error, BrokerRefused) else State.UNKNOWN
    return Finding(state, f"{name}: {error}", name=name)
